/** The newest sample of a job as a small square; its place stays empty while there is none. */
import type { Job } from "@/api/types";
import { Picture } from "@/components/ui/picture";
import { count } from "@/lib/format";
import { thumbnail } from "@/lib/thumbnail";
import { S } from "@/strings";

const SIDE = 40;

export function JobPicture({ job: { sample }, name }: { job: Job; name: string }) {
  return (
    <span className="pointer-events-none block size-10 shrink-0">
      {sample && (
        <Picture
          {...thumbnail(sample.url, SIDE)}
          alt={S.jobs.pictureOf(name, sample.step === null ? null : count(sample.step), sample.prompt)}
          loading="lazy"
          decoding="async"
          hideBroken
          className="size-full rounded-md bg-sunken object-cover"
        />
      )}
    </span>
  );
}
