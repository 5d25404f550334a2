import { useQuery } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";
import { charactersQuery } from "@/api/queries";
import type { Job } from "@/api/types";
import { isShared } from "@/app/actor";
import { rate } from "@/lib/format";
import { S } from "@/strings";

/** Shown until the characters are known. */
const UNKNOWN = "…";

/** Gives a job's name: its character's, or the id of a character that is no more. */
export function useJobName(): (job: Pick<Job, "character_id">) => string {
  const { data } = useQuery({ ...charactersQuery, enabled: !isShared });
  const names = useMemo(() => new Map(data?.characters.map((each) => [each.id, each.name])), [data]);
  return useCallback(
    (job) => (isShared ? S.job.shared : data ? (names.get(job.character_id) ?? job.character_id) : UNKNOWN),
    [names, data],
  );
}

/** The settings that tell two trainings of one character apart, in words. */
export function settingsOf(job: Pick<Job, "config">): string[] {
  const { lora_rank: rank, learning_rate: lr } = job.config;
  return [
    ...(typeof rank === "number" ? [S.jobs.rank(rank)] : []),
    ...(typeof lr === "number" ? [S.jobs.lr(rate(lr))] : []),
  ];
}
