/** Asks before something that cannot be undone: `await confirm({...})` anywhere below the provider. */
import { createContext, use, useCallback, useState, type ReactNode } from "react";
import { S } from "@/strings";
import { Button } from "./button";
import { Dialog } from "./dialog";

export interface Question {
  title: string;
  text: string;
  action: string;
}

type Ask = (question: Question) => Promise<boolean>;

const ConfirmContext = createContext<Ask>(() => Promise.resolve(false));

export function useConfirm(): Ask {
  return use(ConfirmContext);
}

export function ConfirmProvider({ children }: { children: ReactNode }) {
  const [asked, setAsked] = useState<(Question & { answer: (yes: boolean) => void }) | null>(null);
  const ask = useCallback<Ask>((question) => new Promise((answer) => setAsked({ ...question, answer })), []);
  const settle = (yes: boolean) => {
    asked?.answer(yes);
    setAsked(null);
  };
  return (
    <ConfirmContext value={ask}>
      {children}
      {asked && (
        <Dialog open onClose={() => settle(false)} title={asked.title} description={asked.text}>
          <div className="flex justify-end gap-2">
            <Button onClick={() => settle(false)}>{S.keepAsIs}</Button>
            <Button tone="danger" onClick={() => settle(true)}>
              {asked.action}
            </Button>
          </div>
        </Dialog>
      )}
    </ConfirmContext>
  );
}
