/** Name, trigger word and description of a character, for making one and for changing it. */
import { useState, type SubmitEvent } from "react";
import type { Character } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Input, Textarea } from "@/components/ui/field";
import { S } from "@/strings";

export interface CharacterDraft {
  name: string;
  trigger_word: string;
  description: string | null;
}

interface CharacterFormProps {
  character?: Character;
  action: string;
  pending: boolean;
  onSubmit: (draft: CharacterDraft) => void;
}

export function CharacterForm({ character, action, pending, onSubmit }: CharacterFormProps) {
  const [name, setName] = useState(character?.name ?? "");
  const [trigger, setTrigger] = useState(character?.trigger_word ?? "");
  const [description, setDescription] = useState(character?.description ?? "");
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    onSubmit({ name: name.trim(), trigger_word: trigger.trim(), description: description.trim() || null });
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-3">
      <label className="flex flex-col gap-1 font-medium">
        {S.characters.name}
        <Input
          required
          maxLength={200}
          value={name}
          placeholder={S.characters.namePlaceholder}
          onChange={(event) => setName(event.target.value)}
        />
      </label>
      <label className="flex flex-col gap-1 font-medium">
        {S.characters.trigger}
        <Input
          required
          maxLength={200}
          value={trigger}
          placeholder={S.characters.triggerPlaceholder}
          onChange={(event) => setTrigger(event.target.value)}
          className="font-mono"
        />
        <span className="text-xs font-normal text-ink-3">{S.characters.triggerHint}</span>
      </label>
      <label className="flex flex-col gap-1 font-medium">
        <span>
          {S.characters.description} <span className="font-normal text-ink-3">({S.characters.optional})</span>
        </span>
        <Textarea
          rows={2}
          maxLength={10_000}
          value={description}
          onChange={(event) => setDescription(event.target.value)}
        />
      </label>
      <Button
        type="submit"
        tone="primary"
        className="self-end"
        disabled={pending || !name.trim() || !trigger.trim()}
      >
        {action}
      </Button>
    </form>
  );
}
