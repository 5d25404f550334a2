/** The right half: trainer, presets, the form, secrets, and the bar that checks and starts. */
import { useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Rocket } from "lucide-react";
import { useMemo, useState } from "react";
import { api, ApiError, body } from "@/api/client";
import { useHub } from "@/api/live/react";
import { imagesQuery, jobsQuery } from "@/api/queries";
import type { Info, Job, Trainer } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Input, Select } from "@/components/ui/field";
import { Panel } from "@/components/ui/panel";
import { notifyError } from "@/components/ui/toast";
import { Findings } from "@/features/characters/dataset/check";
import { JobOptions } from "@/features/jobs/job-options";
import { count } from "@/lib/format";
import { S } from "@/strings";
import { MemoryPanel } from "./memory";
import { usePreflight } from "./preflight";
import { fieldsOf } from "./schema-form/fields";
import { PRESETS, presetDraft } from "./schema-form/presets";
import { SchemaForm } from "./schema-form/schema-form";
import { draftOf, fieldProblem, read, taken, type Draft } from "./schema-form/values";
import { Secrets, secretsOf, type SecretDraft } from "./secrets";

interface SettingsProps {
  info: Info;
  like: Job | null;
  characterId: string | null;
}

export function Settings({ info, like, characterId }: SettingsProps) {
  const [trainerName, setTrainerName] = useState(like?.trainer ?? info.default_trainer);
  const trainer = info.trainers.find((each) => each.name === trainerName) ?? info.trainers[0];
  if (!trainer) return null;
  // A new key for each trainer: its form begins with its own defaults.
  return (
    <TrainerSettings
      key={trainer.name}
      info={info}
      trainer={trainer}
      like={like?.trainer === trainer.name ? like : null}
      characterId={characterId}
      onTrainer={setTrainerName}
    />
  );
}

function TrainerSettings({
  info,
  trainer,
  like,
  characterId,
  onTrainer,
}: SettingsProps & { trainer: Trainer; onTrainer: (name: string) => void }) {
  const fields = useMemo(() => fieldsOf(trainer.parameters), [trainer]);
  const [draft, setDraft] = useState<Draft>(() => draftOf(fields, like?.config ?? {}));
  const [priority, setPriority] = useState("0");
  const [secrets, setSecrets] = useState<SecretDraft[]>([]);
  const [refused, setRefused] = useState<Record<string, string>>({});
  const { config, errors } = useMemo(() => read(fields, draft), [fields, draft]);
  const preflight = usePreflight(characterId, trainer.name, config, Object.keys(errors).length === 0);
  const start = useStart(setRefused);
  const { data: images } = useQuery({ ...imagesQuery(characterId ?? ""), enabled: characterId !== null });

  // Without a character the plan is refused for that alone, which needs no words here.
  const findings = characterId === null ? [] : (preflight?.findings ?? []);
  const fromServer = Object.fromEntries(
    findings.flatMap((finding) =>
      finding.severity === "error" && finding.field?.startsWith("config.")
        ? [[finding.field.slice(7), finding.message]]
        : [],
    ),
  );
  const shownErrors = { ...fromServer, ...refused, ...errors };
  const general = findings.filter(
    (finding) =>
      finding.code !== "gpu_memory" && // has a panel of its own
      (!finding.field?.startsWith("config.") || finding.severity !== "error"),
  );
  const hint =
    characterId === null
      ? S.create.pickCharacter
      : images?.total === 0
        ? S.create.needImages
        : Object.keys(shownErrors).length > 0
          ? S.create.fixErrors(Object.keys(shownErrors).length)
          : null;
  const change = (name: string, value: Draft[string]) => {
    setDraft((known) => ({ ...known, [name]: value }));
    setRefused((known) => Object.fromEntries(Object.entries(known).filter(([field]) => field !== name)));
  };
  return (
    <div className="grid min-w-0 gap-3">
      <Panel title={S.create.settings}>
        <Choices
          info={info}
          trainer={trainer}
          onTrainer={onTrainer}
          onPreset={(preset) => setDraft(presetDraft(fields, preset))}
        />
        {!trainer.available && (
          <div role="alert" className="mb-4 rounded-md border border-warn bg-warn-soft px-3 py-2 text-warn">
            <p className="font-medium">{S.create.missing}</p>
            <ul className="list-disc pl-5">
              {trainer.missing.map((each) => (
                <li key={each}>{each}</li>
              ))}
            </ul>
          </div>
        )}
        <SchemaForm fields={fields} draft={draft} errors={shownErrors} onChange={change} />
        <Secrets secrets={secrets} onChange={setSecrets} />
        <label className="mt-5 flex flex-wrap items-center gap-x-3 gap-y-1 border-t pt-4 font-medium">
          {S.create.priority}
          <Input
            type="number"
            min={-1000}
            max={1000}
            value={priority}
            onChange={(event) => setPriority(event.target.value)}
            className="w-24"
          />
          <span className="text-xs font-normal text-ink-3">{S.create.priorityText}</span>
        </label>
      </Panel>
      {preflight?.memory && (
        <MemoryPanel
          need={preflight.memory}
          onTake={(settings) => setDraft((known) => taken(fields, known, settings))}
        />
      )}
      {general.length > 0 && (
        <Panel title={S.create.check}>
          <Findings findings={general} />
        </Panel>
      )}
      <div className="panel sticky bottom-3 z-20 flex flex-wrap items-center justify-between gap-3 p-3 shadow-lift max-md:bottom-16">
        <p className="text-ink-2" role="status">
          {hint ?? (
            <>
              <span className="font-medium text-ink">{S.create.ready}</span>{" "}
              {S.create.summary(images?.total ?? 0, count(Number(config["steps"] ?? 0)))}
            </>
          )}
        </p>
        <Button
          tone="primary"
          size="lg"
          disabled={hint !== null || start.isPending || !trainer.available}
          onClick={() =>
            characterId &&
            start.mutate({
              characterId,
              trainer: trainer.name,
              config,
              secrets: secretsOf(secrets),
              priority: Math.trunc(Number(priority)) || 0,
            })
          }
        >
          <Rocket aria-hidden /> {start.isPending ? S.create.starting : S.create.start}
        </Button>
      </div>
    </div>
  );
}

interface ChoicesProps {
  info: Info;
  trainer: Trainer;
  onTrainer: (name: string) => void;
  onPreset: (preset: (typeof PRESETS)[number]) => void;
}

function Choices({ info, trainer, onTrainer, onPreset }: ChoicesProps) {
  const { data: jobs } = useQuery(jobsQuery);
  const navigate = useNavigate({ from: "/new" });
  return (
    <div className="mb-5 flex flex-wrap items-start gap-x-5 gap-y-3">
      <label className="flex min-w-48 flex-1 flex-col gap-1 font-medium">
        {S.create.trainer}
        <Select className="w-full" value={trainer.name} onChange={(event) => onTrainer(event.target.value)}>
          {info.trainers.map((each) => (
            <option key={each.name} value={each.name}>
              {each.title} {each.available ? "" : S.create.unavailable}
            </option>
          ))}
        </Select>
        <span className="text-xs font-normal text-ink-3">{trainer.description}</span>
      </label>
      <div className="flex max-w-full min-w-0 flex-col gap-1">
        <span className="font-medium" id="presets">
          {S.create.presets}
        </span>
        <div role="group" aria-labelledby="presets" className="flex flex-wrap gap-1.5">
          {PRESETS.map((preset) => (
            <Button key={preset} onClick={() => onPreset(preset)}>
              {S.create.preset[preset]}
            </Button>
          ))}
          <Select
            aria-label={S.create.like}
            className="md:max-w-52"
            value=""
            onChange={(event) =>
              void navigate({ search: (known) => ({ ...known, like: event.target.value }), replace: true })
            }
          >
            <option value="">{S.create.like}</option>
            <JobOptions jobs={jobs?.slice(0, 50) ?? []} />
          </Select>
        </div>
      </div>
    </div>
  );
}

interface Start {
  characterId: string;
  trainer: string;
  config: Record<string, unknown>;
  secrets: Record<string, string>;
  priority: number;
}

function useStart(onRefused: (errors: Record<string, string>) => void) {
  const hub = useHub();
  const navigate = useNavigate();
  // One key for one plan: a second click, or a try after a lost answer, starts nothing twice.
  const [keys] = useState(() => new Map<string, string>());
  return useMutation({
    meta: { quiet: true },
    mutationFn: ({ characterId, trainer, config, secrets, priority }: Start) => {
      const plan = JSON.stringify([characterId, trainer, config]);
      const key =
        keys.get(plan) ??
        Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("");
      keys.set(plan, key);
      return body(
        api.POST("/api/training", {
          params: { header: { "idempotency-key": key } },
          body: { character_id: characterId, trainer, config, secrets, priority },
        }),
      );
    },
    onSuccess: (job, { characterId, trainer, config }) => {
      keys.delete(JSON.stringify([characterId, trainer, config]));
      hub.learn(job);
      void navigate({ to: "/jobs/$jobId", params: { jobId: job.id } });
    },
    onError: (error) => {
      const problem = error instanceof ApiError && error.status === 422 ? fieldProblem(error.message) : null;
      if (problem) onRefused({ [problem.field]: problem.message });
      else notifyError(error);
    },
  });
}
