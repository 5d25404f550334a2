import { Pin, PinOff } from "lucide-react";
import type { Artifact } from "@/api/types";
import { mayChange } from "@/app/actor";
import { Button } from "@/components/ui/button";
import { count } from "@/lib/format";
import { S } from "@/strings";
import { useKeep } from "../artifacts-tab";
import { checkpointFor } from "./matrix";

/** "Keep this checkpoint", from the sample that convinced. */
export function KeepButton({
  jobId,
  artifacts,
  step,
}: {
  jobId: string;
  artifacts: readonly Artifact[];
  step: number;
}) {
  const keep = useKeep(jobId);
  const checkpoint = checkpointFor(artifacts, step);
  if (!checkpoint || !mayChange) return null;
  const { kept, name } = checkpoint;
  const Icon = kept ? PinOff : Pin;
  return (
    <Button aria-pressed={kept} disabled={keep.isPending} onClick={() => keep.mutate({ name, keep: !kept })}>
      <Icon aria-hidden />
      {kept ? S.samples.kept(count(checkpoint.step)) : S.samples.keep(count(checkpoint.step))}
    </Button>
  );
}
