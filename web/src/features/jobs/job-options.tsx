/** Jobs to choose from in a select: by name, id and what tells them apart. */
import type { Job } from "@/api/types";
import { shortId } from "@/lib/format";
import { S } from "@/strings";
import { settingsOf, useJobName } from "./names";

export function JobOptions({ jobs }: { jobs: readonly Job[] }) {
  const nameOf = useJobName();
  return jobs.map((job) => (
    <option key={job.id} value={job.id}>
      {[nameOf(job), shortId(job.id), ...settingsOf(job), S.status[job.status]].join(" · ")}
    </option>
  ));
}
