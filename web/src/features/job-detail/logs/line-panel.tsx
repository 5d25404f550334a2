/** One line in full: message, fields, stack; to copy, to link to, to go to its moment. */
import { Clock3, Copy, Link2, X } from "lucide-react";
import type { LogEntry } from "@/api/types";
import { AnsiText } from "@/components/ui/ansi";
import { IconButton } from "@/components/ui/button";
import { Time } from "@/components/ui/time";
import { notify } from "@/components/ui/toast";
import { copyText } from "@/lib/clipboard";
import { cn } from "@/lib/cn";
import { S } from "@/strings";
import { useMoment } from "../moment";
import { LEVEL_BADGE } from "./levels";
import { messageOf } from "./message";

export function LinePanel({ entry, onClose }: { entry: LogEntry; onClose: () => void }) {
  const { setStep } = useMoment();
  const { error_stack: stack, ...fields } = entry.fields as Record<string, unknown>;
  const step = typeof fields["step"] === "number" ? fields["step"] : null;
  const copy = (text: string) => void copyText(text).then((done) => done && notify(S.copied));
  return (
    <section
      aria-label={`#${entry.seq}`}
      className="max-h-[45%] shrink-0 overflow-auto border-t bg-raised p-3 animate-rise"
      data-line={entry.seq}
    >
      <div className="flex items-start gap-2">
        <p className="flex min-w-0 flex-1 flex-wrap items-center gap-x-3 gap-y-0.5 text-xs text-ink-2">
          <span className="font-mono">#{entry.seq}</span>
          <span className={cn("rounded-xs px-1 font-mono text-2xs", LEVEL_BADGE[entry.level])}>
            {entry.level}
          </span>
          <span className="font-mono">{entry.event}</span>
          <span>{entry.service}</span>
          <Time iso={entry.timestamp} />
        </p>
        {step !== null && (
          <IconButton label={S.logs.toMoment} onClick={() => setStep(step)}>
            <Clock3 />
          </IconButton>
        )}
        <IconButton label={S.logs.copyLine} onClick={() => copy(JSON.stringify(entry))}>
          <Copy />
        </IconButton>
        <IconButton label={S.logs.copyLink} onClick={() => copy(permalink(entry.seq))}>
          <Link2 />
        </IconButton>
        <IconButton label={S.close} onClick={onClose}>
          <X />
        </IconButton>
      </div>
      <pre className="mt-1 font-mono text-xs whitespace-pre-wrap">
        <AnsiText text={messageOf(entry)} />
      </pre>
      {typeof stack === "string" && (
        <details open className="mt-2">
          <summary className="label-caps min-h-6">{S.logs.stack}</summary>
          <pre className="rounded-md bg-sunken p-2 font-mono text-xs whitespace-pre-wrap">
            <AnsiText text={stack} />
          </pre>
        </details>
      )}
      {Object.keys(fields).length > 0 && (
        <dl className="mt-2 grid grid-cols-[max-content_minmax(0,1fr)] gap-x-4 gap-y-0.5 font-mono text-xs">
          {Object.entries(fields).map(([name, value]) => (
            <div key={name} className="contents">
              <dt className="text-ink-3">{name}</dt>
              <dd className="whitespace-pre-wrap">
                {typeof value === "string" ? <AnsiText text={value} /> : JSON.stringify(value, null, 1)}
              </dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  );
}

function permalink(seq: number): string {
  const url = new URL(window.location.href);
  url.searchParams.set("tab", "logs");
  url.searchParams.set("line", String(seq));
  return url.href;
}
