/** The inside of an open job: header, timeline, tabs. */
import * as Tabs from "@radix-ui/react-tabs";
import { useQuery } from "@tanstack/react-query";
import { memo, useCallback, useEffect, useMemo, useRef } from "react";
import { artifactsQuery } from "@/api/queries";
import { useLive } from "@/api/live/react";
import type { LiveHub } from "@/api/live/hub";
import { isTerminal, type Artifact, type Job } from "@/api/types";
import { JobRoute, type Tab } from "@/app/routes";
import { TABS } from "@/app/search";
import { useShortcuts } from "@/app/shortcuts";
import { Loading } from "@/components/ui/states";
import { cn } from "@/lib/cn";
import { late } from "@/lib/late";
import { S } from "@/strings";
import { useFirstError } from "./first-error";
import { Header } from "./header";
import { MomentContext, useMomentState } from "./moment";
import { Overview } from "./overview/overview";
import { SeriesProvider } from "./series-provider";
import { momentsOf, neighbour } from "./timeline/moments";
import { Timeline } from "./timeline/timeline";

const Logs = memo(late(() => import("./logs/logs-tab").then((part) => part.LogsTab), <Loading />));
const Samples = memo(
  late(() => import("./samples/samples-tab").then((part) => part.SamplesTab), <Loading />),
);
const Artifacts = memo(late(() => import("./artifacts-tab").then((part) => part.ArtifactsTab), <Loading />));
const System = memo(late(() => import("./system-tab").then((part) => part.SystemTab), <Loading />));
const TraceTab = memo(late(() => import("./trace-tab").then((part) => part.TraceTab), <Loading />));

const NO_ARTIFACTS: Artifact[] = [];

export function JobView({ job, name, onClose }: { job: Job; name: string; onClose: () => void }) {
  const { tab = "overview" } = JobRoute.useSearch();
  const moment = useMomentState();
  const ended = isTerminal(job.status);
  const readReady = useCallback((hub: LiveHub) => (hub.open?.lastSeq ?? 0) > 0, []);
  const connected = useLive(readReady);
  const { data: artifacts = NO_ARTIFACTS } = useQuery(artifactsQuery(job.id));
  const goToFirstError = useFirstError(job.id, moment);

  const moments = useMemo(() => momentsOf(artifacts), [artifacts]);
  const jump = (by: 1 | -1) => {
    const next = neighbour(moments, moment.step ?? job.current_step + 1, by);
    moment.setStep(next);
  };
  useShortcuts("job", [
    ...TABS.map((each, index) => ({
      key: String(index + 1),
      label: S.job.keys.tab(S.job.tabs[each]),
      run: () => moment.goTo(each),
    })),
    { key: "[", label: S.job.keys.previousMoment, run: () => jump(-1) },
    { key: "]", label: S.job.keys.nextMoment, run: () => jump(1) },
    { key: "l", label: S.job.keys.live, run: () => moment.setStep(null) },
    { key: "e", label: S.job.keys.firstError, run: goToFirstError },
    {
      key: "b",
      label: S.job.keys.bundle,
      run: () => document.querySelector<HTMLAnchorElement>("[data-bundle]")?.click(),
    },
  ]);

  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // On a phone not all tabs fit; the open one has to be in sight.
    list.current
      ?.querySelector("[data-state=active]")
      ?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [tab]);

  return (
    <MomentContext value={moment}>
      <SeriesProvider jobId={job.id} enabled={ended || connected}>
        <Header job={job} name={name} onClose={onClose} />
        <Timeline job={job} artifacts={artifacts} />
        <Tabs.Root
          value={tab}
          onValueChange={(next) => moment.goTo(next as Tab)}
          className="flex min-h-0 flex-1 flex-col"
        >
          <Tabs.List
            ref={list}
            aria-label={S.job.tabsLabel}
            className="flex shrink-0 overflow-x-auto border-b bg-surface px-2 [scrollbar-width:none] md:px-4"
          >
            {TABS.map((each) => (
              <Tabs.Trigger
                key={each}
                value={each}
                className={cn(
                  "touch-target relative h-9 shrink-0 px-3 text-sm font-medium text-ink-2 hover:text-ink focus-visible:-outline-offset-2",
                  "data-[state=active]:text-ink data-[state=active]:after:absolute data-[state=active]:after:inset-x-3 data-[state=active]:after:bottom-0 data-[state=active]:after:h-0.5 data-[state=active]:after:bg-signal",
                )}
              >
                {S.job.tabs[each]}
              </Tabs.Trigger>
            ))}
          </Tabs.List>
          <Tabs.Content value={tab} className="min-h-0 flex-1 overflow-auto focus-visible:-outline-offset-2">
            {tab === "overview" && <Overview job={job} artifacts={artifacts} onFirstError={goToFirstError} />}
            {tab === "logs" && <Logs jobId={job.id} />}
            {tab === "samples" && <Samples job={job.id} ended={ended} />}
            {tab === "artifacts" && <Artifacts jobId={job.id} />}
            {tab === "system" && <System jobId={job.id} ended={ended} />}
            {tab === "trace" && <TraceTab jobId={job.id} correlationId={job.correlation_id} />}
          </Tabs.Content>
        </Tabs.Root>
      </SeriesProvider>
    </MomentContext>
  );
}
