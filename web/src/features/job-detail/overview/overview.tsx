import { isTerminal, type Artifact, type Job } from "@/api/types";
import { isShared } from "@/app/actor";
import { Outcome } from "../outcome/outcome";
import { Configuration } from "./configuration";
import { Dataset } from "./dataset";
import { Figures } from "./figures";
import { LatestSamples } from "./latest-samples";
import { LossChart } from "./loss-chart";
import { Stages } from "./stages";
import { Warnings } from "./warnings";
import { Section } from "@/components/ui/panel";
import { S } from "@/strings";

export interface OverviewProps {
  job: Job;
  artifacts: readonly Artifact[];
  onFirstError: () => void;
}

export function Overview({ job, artifacts, onFirstError }: OverviewProps) {
  return (
    <div className="mx-auto flex max-w-[100rem] flex-col gap-3 p-3 md:p-4">
      {isTerminal(job.status) && <Outcome job={job} artifacts={artifacts} onFirstError={onFirstError} />}
      <Warnings jobId={job.id} />
      <Figures job={job} />
      <div className="grid gap-3 xl:grid-cols-[minmax(0,1fr)_21rem]">
        <div className="flex min-w-0 flex-col gap-3">
          <Section title={S.overview.chart}>
            <LossChart job={job} artifacts={artifacts} />
          </Section>
          <LatestSamples artifacts={artifacts} />
        </div>
        <div className="grid content-start gap-3 sm:grid-cols-2 xl:grid-cols-1">
          <Section title={S.overview.stages}>
            <Stages job={job} />
          </Section>
          {!isShared && (
            <Section title={S.overview.dataset}>
              <Dataset characterId={job.character_id} />
            </Section>
          )}
          <Section title={S.overview.config} className="sm:col-span-2 xl:col-span-1">
            <Configuration job={job} />
          </Section>
        </div>
      </div>
    </div>
  );
}
