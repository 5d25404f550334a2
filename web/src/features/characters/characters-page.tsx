import { useQueries, useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { Plus, UserRound } from "lucide-react";
import { useState } from "react";
import { charactersQuery, imagesQuery } from "@/api/queries";
import type { Character, CharacterImage } from "@/api/types";
import { mayChange } from "@/app/actor";
import { Button } from "@/components/ui/button";
import { ButtonLink } from "@/components/ui/link";
import { PageHeader } from "@/components/ui/page";
import { Empty, Failed, Loading } from "@/components/ui/states";
import { S } from "@/strings";
import { NewCharacterDialog } from "./new-character";
import { Picture } from "@/components/ui/picture";

const FACES = 4;

export function CharactersPage() {
  const { data, error, refetch } = useQuery(charactersQuery);
  const [making, setMaking] = useState(false);
  const navigate = useNavigate();
  const characters = data?.characters ?? [];
  const images = useQueries({ queries: characters.map((each) => imagesQuery(each.id)) });
  return (
    <>
      <PageHeader title={S.characters.title} lead={S.characters.lead}>
        {mayChange && (
          <Button tone="primary" onClick={() => setMaking(true)}>
            <Plus aria-hidden /> {S.characters.create}
          </Button>
        )}
      </PageHeader>
      {error && !data ? (
        <Failed error={error} onRetry={() => void refetch()} />
      ) : !data ? (
        <Loading />
      ) : characters.length === 0 ? (
        <Empty title={S.characters.none} className="panel">
          <p>{S.characters.noneText}</p>
        </Empty>
      ) : (
        <ul className="grid grid-cols-[repeat(auto-fill,minmax(min(100%,17rem),1fr))] gap-3">
          {characters.map((character, index) => (
            <Card key={character.id} character={character} images={images[index]?.data?.images ?? []} />
          ))}
        </ul>
      )}
      {making && (
        <NewCharacterDialog
          onClose={() => setMaking(false)}
          onMade={({ id }) => void navigate({ to: "/characters/$characterId", params: { characterId: id } })}
        />
      )}
    </>
  );
}

function Card({ character, images }: { character: Character; images: readonly CharacterImage[] }) {
  return (
    <li className="panel relative flex flex-col overflow-hidden hover:border-edge">
      <div className="flex h-28 bg-sunken">
        {images.slice(0, FACES).map((image) => (
          <Picture
            key={image.filename}
            src={image.url}
            alt=""
            loading="lazy"
            decoding="async"
            className="h-full min-w-0 flex-1 object-cover"
          />
        ))}
        {images.length === 0 && <UserRound className="m-auto size-8 text-ink-3" aria-hidden />}
      </div>
      <div className="flex flex-1 items-end justify-between gap-3 p-3.5">
        <div className="min-w-0">
          <Link
            to="/characters/$characterId"
            params={{ characterId: character.id }}
            className="block truncate text-base font-medium after:absolute after:inset-0"
          >
            <bdi>{character.name}</bdi>
          </Link>
          <p className="truncate font-mono text-xs text-ink-2">{character.trigger_word}</p>
          <p className="text-xs text-ink-3">
            {S.characters.images(character.image_count)}
            {character.lora_path && <span className="text-ok"> · {S.characters.lora}</span>}
          </p>
        </div>
        {mayChange && (
          <ButtonLink to="/new" search={{ character: character.id }} className="relative z-10">
            {S.characters.train}
          </ButtonLink>
        )}
      </div>
    </li>
  );
}
