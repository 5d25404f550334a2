/** What a look at the images found: count, sizes, duplicates, missing captions. */
import { useQuery } from "@tanstack/react-query";
import { CircleCheck, CircleX, Info, TriangleAlert } from "lucide-react";
import { api, body } from "@/api/client";
import { imagesQuery } from "@/api/queries";
import type { CharacterImage, Finding } from "@/api/types";
import { Loading } from "@/components/ui/states";
import { cn } from "@/lib/cn";
import { bytes, count } from "@/lib/format";
import { S } from "@/strings";

export function useDatasetCheck(characterId: string) {
  const { data: images } = useQuery(imagesQuery(characterId));
  // What the images are is part of the key: a new image, a removed one or another caption checks anew.
  const state = images?.images
    .map((image) => `${image.filename}:${image.size_bytes}:${image.caption ?? ""}`)
    .join("\n");
  return useQuery({
    queryKey: ["check", characterId, state],
    queryFn: ({ signal }) =>
      body(
        api.POST("/api/characters/{character_id}/check", {
          params: { path: { character_id: characterId } },
          signal,
        }),
      ),
    enabled: state !== undefined && state !== "",
    placeholderData: (before) => before,
    staleTime: Infinity,
  });
}

export function DatasetCheckPanel({ characterId }: { characterId: string }) {
  const { data: images } = useQuery(imagesQuery(characterId));
  const { data, isLoading } = useDatasetCheck(characterId);
  if (!images || images.images.length === 0) return null;
  if (isLoading) return <Loading label={S.create.checking} className="p-3" />;
  return (
    <div>
      <Facts images={images.images} />
      {data && <Findings findings={data.findings} fine={S.dataset.fine} />}
    </div>
  );
}

function Facts({ images }: { images: readonly CharacterImage[] }) {
  const sizes = images.map((image) => Math.min(image.width, image.height));
  const captions = images.filter((image) => image.caption?.trim()).length;
  const rows = [
    [S.dataset.count, count(images.length)],
    [S.dataset.size, `${S.dataset.sizes(count(Math.min(...sizes)), count(Math.max(...sizes)))} px`],
    [S.dataset.captions, `${captions} / ${images.length}`],
    [S.dataset.volume, bytes(images.reduce((sum, image) => sum + image.size_bytes, 0))],
  ] as const;
  return (
    <dl className="mb-3 grid grid-cols-2 gap-x-6 gap-y-1">
      {rows.map(([name, value]) => (
        <div key={name} className="flex justify-between gap-3 border-b pb-1">
          <dt className="text-xs text-ink-3">{name}</dt>
          <dd className="text-xs">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

const LOOK = {
  error: { icon: CircleX, ink: "text-bad" },
  warning: { icon: TriangleAlert, ink: "text-warn" },
  info: { icon: Info, ink: "text-info" },
} as const;

export function Findings({ findings, fine }: { findings: readonly Finding[]; fine?: string }) {
  if (findings.length === 0)
    return fine ? (
      <p className="flex items-center gap-2 text-ok">
        <CircleCheck className="size-4" aria-hidden /> {fine}
      </p>
    ) : null;
  return (
    <ul className="flex flex-col gap-1.5" data-findings>
      {findings.map((finding, index) => {
        const { icon: Icon, ink } = LOOK[finding.severity];
        return (
          <li key={`${finding.code}:${index}`} className="flex gap-2">
            <Icon
              className={cn("mt-0.5 size-4 shrink-0", ink)}
              aria-label={S.dataset.severity[finding.severity]}
            />
            <span>
              {finding.message}
              {finding.filenames.length > 0 && (
                <span className="block max-h-16 overflow-auto font-mono text-2xs text-ink-3">
                  {finding.filenames.join(", ")}
                </span>
              )}
            </span>
          </li>
        );
      })}
    </ul>
  );
}
