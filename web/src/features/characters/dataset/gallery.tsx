/** The images of a character with their captions, edited in place. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Trash2 } from "lucide-react";
import { useState } from "react";
import { api, body } from "@/api/client";
import { imagesQuery } from "@/api/queries";
import type { CharacterImage } from "@/api/types";
import { mayChange } from "@/app/actor";
import { IconButton } from "@/components/ui/button";
import { Checkbox, Textarea } from "@/components/ui/field";
import { Failed, Loading } from "@/components/ui/states";
import { cn } from "@/lib/cn";
import { bytes } from "@/lib/format";
import { S } from "@/strings";
import { Picture } from "@/components/ui/picture";

const hasCaption = (image: CharacterImage) => Boolean(image.caption?.trim());

export function Gallery({ characterId }: { characterId: string }) {
  const { data, error, refetch } = useQuery(imagesQuery(characterId));
  const [onlyMissing, setOnlyMissing] = useState(false);
  if (error && !data) return <Failed error={error} onRetry={() => void refetch()} />;
  if (!data) return <Loading />;
  if (data.images.length === 0) return <p className="text-ink-3">{S.dataset.none}</p>;
  const missing = data.images.filter((image) => !hasCaption(image)).length;
  const shown = onlyMissing && missing > 0 ? data.images.filter((image) => !hasCaption(image)) : data.images;
  return (
    <>
      <div className="mb-2 flex min-h-6 items-center justify-between gap-3 text-xs text-ink-2">
        <span>{S.characters.images(data.total)}</span>
        {missing > 0 && (
          <label className="flex min-h-6 items-center gap-2">
            <Checkbox checked={onlyMissing} onChange={(event) => setOnlyMissing(event.target.checked)} />
            {S.dataset.onlyMissing} ({missing})
          </label>
        )}
      </div>
      <ul className="grid grid-cols-[repeat(auto-fill,minmax(min(45%,11.5rem),1fr))] gap-3">
        {shown.map((image) => (
          <Tile key={image.filename} characterId={characterId} image={image} />
        ))}
      </ul>
    </>
  );
}

function Tile({ characterId, image }: { characterId: string; image: CharacterImage }) {
  const client = useQueryClient();
  const [text, setText] = useState(image.caption ?? "");
  const path = { character_id: characterId, filename: image.filename };
  const refresh = () => client.invalidateQueries({ queryKey: ["characters"] });
  const save = useMutation({
    mutationFn: (caption: string) =>
      body(
        api.PUT("/api/characters/{character_id}/images/{filename}/caption", {
          params: { path },
          body: { caption },
        }),
      ),
    onSuccess: refresh,
  });
  const remove = useMutation({
    mutationFn: () => api.DELETE("/api/characters/{character_id}/images/{filename}", { params: { path } }),
    onSuccess: refresh,
  });
  const commit = () => {
    if (text !== (image.caption ?? "")) save.mutate(text);
  };
  return (
    <li
      className={cn(
        "relative flex flex-col overflow-hidden rounded-md border bg-raised [contain-intrinsic-size:auto_17rem] [content-visibility:auto]",
        remove.isPending && "opacity-40",
      )}
    >
      <Picture
        src={image.url}
        alt={text || image.filename}
        width={image.width}
        height={image.height}
        loading="lazy"
        decoding="async"
        className="aspect-square w-full bg-sunken object-contain"
      />
      {mayChange && (
        <IconButton
          label={S.dataset.remove(image.filename)}
          onClick={() => remove.mutate()}
          className="absolute top-1 right-1 border-line bg-surface"
        >
          <Trash2 />
        </IconButton>
      )}
      <div className="flex flex-1 flex-col p-1.5">
        <Textarea
          aria-label={S.dataset.caption(image.filename)}
          placeholder={S.dataset.captionPlaceholder}
          value={text}
          readOnly={!mayChange}
          aria-invalid={save.isError}
          rows={2}
          onChange={(event) => setText(event.target.value)}
          onBlur={commit}
          onKeyDown={(event) => {
            if (event.key === "Enter" && !event.shiftKey) {
              event.preventDefault();
              commit();
            }
          }}
          className="min-h-12 flex-1 resize-none [field-sizing:content] border-transparent bg-transparent px-1 text-xs hover:border-edge"
        />
        <p className="flex justify-between gap-2 px-1 text-2xs text-ink-3">
          <span className="truncate" title={image.filename}>
            {image.width} × {image.height} · {bytes(image.size_bytes)}
          </span>
          <span role="status" className={cn("shrink-0", save.isError && "text-bad")}>
            {save.isPending ? S.dataset.saving : save.isError ? S.dataset.failed : ""}
          </span>
        </p>
      </div>
    </li>
  );
}
