import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, body } from "@/api/client";
import type { Character } from "@/api/types";
import { Dialog } from "@/components/ui/dialog";
import { S } from "@/strings";
import { CharacterForm, type CharacterDraft } from "./character-form";

export function NewCharacterDialog({
  onClose,
  onMade,
}: {
  onClose: () => void;
  onMade: (character: Character) => void;
}) {
  const client = useQueryClient();
  const make = useMutation({
    mutationFn: (draft: CharacterDraft) => body(api.POST("/api/characters", { body: draft })),
    onSuccess: async (character) => {
      await client.invalidateQueries({ queryKey: ["characters"] });
      onMade(character);
    },
  });
  return (
    <Dialog open onClose={onClose} title={S.characters.create} description={S.characters.lead}>
      <CharacterForm
        action={S.characters.make}
        pending={make.isPending}
        onSubmit={(draft) => make.mutate(draft)}
      />
    </Dialog>
  );
}
