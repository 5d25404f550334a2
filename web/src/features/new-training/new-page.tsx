/** From images to a queued job on one page: character, images, settings, check, start. */
import { useQuery } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { useState } from "react";
import { useNavigate } from "@tanstack/react-router";
import { charactersQuery, infoQuery, jobQuery } from "@/api/queries";
import type { Info, Job } from "@/api/types";
import { NewRoute } from "@/app/routes";
import type { Setting } from "@/app/search";
import { Button } from "@/components/ui/button";
import { Select } from "@/components/ui/field";
import { PageHeader } from "@/components/ui/page";
import { Panel } from "@/components/ui/panel";
import { Failed, Loading } from "@/components/ui/states";
import { DatasetCheckPanel } from "@/features/characters/dataset/check";
import { Dropzone } from "@/features/characters/dataset/dropzone";
import { Gallery } from "@/features/characters/dataset/gallery";
import { NewCharacterDialog } from "@/features/characters/new-character";
import { useJobName } from "@/features/jobs/names";
import { shortId } from "@/lib/format";
import { settingsInWords } from "@/lib/settings";
import { S } from "@/strings";
import { Settings } from "./settings";

export function NewPage() {
  const { character, like, with: changes } = NewRoute.useSearch();
  const nameOf = useJobName();
  const { data: info, error, refetch } = useQuery(infoQuery);
  const { data: model, isLoading } = useQuery({ ...jobQuery(like ?? ""), enabled: like !== undefined });
  return (
    <>
      <PageHeader title={S.create.title} lead={model && takenFrom(nameOf(model), model.id, changes)} />
      {error && !info ? (
        <Failed error={error} onRetry={() => void refetch()} />
      ) : !info || isLoading ? (
        <Loading />
      ) : (
        // A new key for each model job: its settings are taken over once, then they are the reader's.
        <NewTraining
          key={like ?? ""}
          info={info}
          like={model ? { ...model, config: { ...model.config, ...changes } } : null}
          characterId={character ?? model?.character_id ?? null}
        />
      )}
    </>
  );
}

function takenFrom(name: string, id: string, changes: Record<string, Setting> | undefined): string {
  const said = changes ? S.create.changed(settingsInWords(changes)) : "";
  return `${S.create.likeTaken(`${name} ${shortId(id)}`)}${said}.`;
}

function NewTraining({
  info,
  like,
  characterId,
}: {
  info: Info;
  like: Job | null;
  characterId: string | null;
}) {
  return (
    <div className="grid items-start gap-3 xl:grid-cols-[minmax(22rem,2fr)_3fr]">
      <div className="grid min-w-0 gap-3">
        <Panel title={S.create.character}>
          <CharacterChoice characterId={characterId} />
        </Panel>
        {characterId && (
          <>
            <Panel title={S.create.dataset}>
              <Dropzone characterId={characterId} />
              <div className="mt-4 max-h-[36rem] overflow-y-auto pr-1" tabIndex={-1}>
                <Gallery characterId={characterId} />
              </div>
            </Panel>
            <Panel title={S.dataset.check}>
              <DatasetCheckPanel characterId={characterId} />
            </Panel>
          </>
        )}
      </div>
      <Settings info={info} like={like} characterId={characterId} />
    </div>
  );
}

function CharacterChoice({ characterId }: { characterId: string | null }) {
  const { data } = useQuery(charactersQuery);
  const [making, setMaking] = useState(false);
  const navigate = useNavigate({ from: "/new" });
  const choose = (id: string) =>
    void navigate({ search: (known) => ({ ...known, character: id || undefined }), replace: true });
  const chosen = data?.characters.find((each) => each.id === characterId);
  return (
    <>
      <div className="flex gap-2">
        <Select
          aria-label={S.create.choose}
          className="min-w-0 flex-1"
          value={characterId ?? ""}
          onChange={(event) => choose(event.target.value)}
        >
          <option value="">{S.create.characterText}</option>
          {data?.characters.map((each) => (
            <option key={each.id} value={each.id}>
              {each.name} ({S.characters.images(each.image_count)})
            </option>
          ))}
        </Select>
        <Button onClick={() => setMaking(true)}>
          <Plus aria-hidden /> {S.create.newCharacter}
        </Button>
      </div>
      {chosen && (
        <p className="mt-2 text-xs text-ink-2">
          {S.characters.trigger}: <code className="font-mono text-ink">{chosen.trigger_word}</code>
          {chosen.description && ` · ${chosen.description}`}
        </p>
      )}
      {making && (
        <NewCharacterDialog
          onClose={() => setMaking(false)}
          onMade={({ id }) => {
            setMaking(false);
            choose(id);
          }}
        />
      )}
    </>
  );
}
