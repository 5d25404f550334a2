import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { ArrowLeft, Play, Trash2 } from "lucide-react";
import { api, body } from "@/api/client";
import { characterQuery, jobsQuery } from "@/api/queries";
import { mayChange } from "@/app/actor";
import { CharacterRoute } from "@/app/routes";
import { IconButton } from "@/components/ui/button";
import { useConfirm } from "@/components/ui/confirm";
import { ButtonLink } from "@/components/ui/link";
import { PageHeader } from "@/components/ui/page";
import { Failed, Loading } from "@/components/ui/states";
import { StatusBadge } from "@/components/ui/status";
import { Time } from "@/components/ui/time";
import { notify } from "@/components/ui/toast";
import { S } from "@/strings";
import { CharacterForm, type CharacterDraft } from "./character-form";
import { DatasetCheckPanel } from "./dataset/check";
import { Dropzone } from "./dataset/dropzone";
import { Gallery } from "./dataset/gallery";
import { Panel } from "@/components/ui/panel";

export function CharacterPage() {
  const { characterId } = CharacterRoute.useParams();
  const { data: character, error, refetch } = useQuery(characterQuery(characterId));
  const client = useQueryClient();
  const navigate = useNavigate();
  const confirm = useConfirm();
  const path = { character_id: characterId };
  const change = useMutation({
    mutationFn: (draft: CharacterDraft) =>
      body(api.PATCH("/api/characters/{character_id}", { params: { path }, body: draft })),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ["characters"] });
      notify(S.characters.saved);
    },
  });
  const remove = useMutation({
    mutationFn: () => api.DELETE("/api/characters/{character_id}", { params: { path } }),
    onSuccess: async () => {
      await navigate({ to: "/characters" });
      await client.invalidateQueries({ queryKey: ["characters"] });
    },
  });
  if (error && !character) return <Failed error={error} onRetry={() => void refetch()} />;
  if (!character) return <Loading />;
  const askRemove = async () => {
    const { removeQuestion, removeText } = S.characters;
    if (
      await confirm({ title: removeQuestion(character.name), text: removeText, action: S.jobs.deleteAction })
    )
      remove.mutate();
  };
  return (
    <>
      <Link
        to="/characters"
        className="mb-2 inline-flex min-h-6 items-center gap-1.5 text-ink-2 hover:text-ink"
      >
        <ArrowLeft className="size-4" aria-hidden /> {S.characters.back}
      </Link>
      <PageHeader title={character.name}>
        {mayChange && (
          <>
            <IconButton
              label={S.characters.remove}
              onClick={() => void askRemove()}
              disabled={remove.isPending}
            >
              <Trash2 />
            </IconButton>
            <ButtonLink to="/new" search={{ character: characterId }} tone="primary">
              <Play aria-hidden /> {S.characters.train}
            </ButtonLink>
          </>
        )}
      </PageHeader>
      <div className="grid gap-3 lg:grid-cols-[minmax(0,1fr)_22rem]">
        <Panel title={S.create.dataset}>
          {mayChange && <Dropzone characterId={characterId} />}
          <div className="mt-4">
            <Gallery characterId={characterId} />
          </div>
        </Panel>
        <div className="grid content-start gap-3">
          <Panel title={S.dataset.check}>
            <DatasetCheckPanel characterId={characterId} />
          </Panel>
          {mayChange && (
            <Panel title={S.characters.edit}>
              <CharacterForm
                key={character.updated_at}
                character={character}
                action={S.characters.save}
                pending={change.isPending}
                onSubmit={(draft) => change.mutate(draft)}
              />
            </Panel>
          )}
          <Panel title={S.characters.jobs}>
            <Jobs characterId={characterId} />
          </Panel>
        </div>
      </div>
    </>
  );
}

function Jobs({ characterId }: { characterId: string }) {
  const { data } = useQuery(jobsQuery);
  const jobs = data?.filter((job) => job.character_id === characterId) ?? [];
  if (jobs.length === 0) return <p className="text-ink-3">{S.characters.noJobs}</p>;
  return (
    <ul>
      {jobs.slice(0, 20).map((job) => (
        <li
          key={job.id}
          className="grid grid-cols-[minmax(0,1fr)_auto_6.75rem] items-center gap-3 border-b py-1.5 last:border-b-0"
        >
          <Link
            to="/jobs/$jobId"
            params={{ jobId: job.id }}
            className="truncate font-mono text-xs text-signal hover:underline"
          >
            {job.id}
          </Link>
          <Time iso={job.created_at} as="ago" className="text-xs text-ink-3" />
          <StatusBadge status={job.status} className="justify-self-start" />
        </li>
      ))}
    </ul>
  );
}
