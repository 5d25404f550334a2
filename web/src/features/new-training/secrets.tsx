import { Plus, X } from "lucide-react";
import { Button, IconButton } from "@/components/ui/button";
import { Input } from "@/components/ui/field";
import { S } from "@/strings";

export interface SecretDraft {
  id: number;
  name: string;
  value: string;
}

export function secretsOf(drafts: readonly SecretDraft[]): Record<string, string> {
  return Object.fromEntries(
    drafts.filter((each) => each.name.trim() && each.value).map((each) => [each.name.trim(), each.value]),
  );
}

/** Tokens that the trainer needs. They leave the page with the request and are kept nowhere in it. */
export function Secrets({
  secrets,
  onChange,
}: {
  secrets: SecretDraft[];
  onChange: (secrets: SecretDraft[]) => void;
}) {
  const set = (id: number, change: Partial<SecretDraft>) =>
    onChange(secrets.map((each) => (each.id === id ? { ...each, ...change } : each)));
  const next = Math.max(0, ...secrets.map((each) => each.id)) + 1;
  return (
    <div className="mt-5 border-t pt-3">
      <h3 className="font-medium">{S.create.secrets}</h3>
      <p className="text-xs text-ink-3">{S.create.secretsText}</p>
      {secrets.map((each) => (
        <div key={each.id} className="mt-2 flex gap-1.5">
          <Input
            aria-label={S.create.secretName}
            placeholder={S.create.secretName}
            autoComplete="off"
            value={each.name}
            onChange={(event) => set(each.id, { name: event.target.value })}
            className="font-mono"
          />
          <Input
            type="password"
            aria-label={S.create.secretValue}
            placeholder={S.create.secretValue}
            autoComplete="new-password"
            value={each.value}
            onChange={(event) => set(each.id, { value: event.target.value })}
            className="font-mono"
          />
          <IconButton
            label={S.create.removeSecret}
            onClick={() => onChange(secrets.filter(({ id }) => id !== each.id))}
          >
            <X />
          </IconButton>
        </div>
      ))}
      <Button
        tone="quiet"
        size="sm"
        className="mt-1.5"
        onClick={() => onChange([...secrets, { id: next, name: "", value: "" }])}
      >
        <Plus aria-hidden /> {S.create.addSecret}
      </Button>
    </div>
  );
}
