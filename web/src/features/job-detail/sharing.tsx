/** Who may see this job without a token: the links that hold, a new one, and taking them back. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link2, Share2, Undo2 } from "lucide-react";
import { useState } from "react";
import { api, body } from "@/api/client";
import { sharesQuery } from "@/api/queries";
import type { ShareLink } from "@/api/types";
import { isLoggedIn, mayChange } from "@/app/actor";
import { Button } from "@/components/ui/button";
import { CopyButton } from "@/components/ui/copy";
import { Dialog } from "@/components/ui/dialog";
import { Input, Select } from "@/components/ui/field";
import { Time, useNow } from "@/components/ui/time";
import { notify } from "@/components/ui/toast";
import { copyText } from "@/lib/clipboard";
import { dateTime, duration } from "@/lib/format";
import { S } from "@/strings";

const DAY_S = 24 * 3600;
const LIFETIMES = [1, 7, 30, 90];
const NO_LINKS: ShareLink[] = [];

function useShares(jobId: string): ShareLink[] {
  const { data = NO_LINKS } = useQuery({ ...sharesQuery(jobId), enabled: isLoggedIn });
  const now = useNow();
  return data.filter((link) => new Date(link.expires_at) > now);
}

/** Says that links to the job are about; nothing where there are none. */
export function SharedMark({ jobId, onOpen }: { jobId: string; onOpen: () => void }) {
  const links = useShares(jobId);
  const now = useNow();
  if (links.length === 0) return null;
  const last = Math.max(...links.map((link) => Date.parse(link.expires_at)));
  return (
    <button
      type="button"
      onClick={onOpen}
      title={S.share.hint}
      data-shared={links.length}
      className="touch-target inline-flex items-center gap-1.5 rounded-full px-2 text-xs text-info hover:bg-info-soft"
    >
      <Share2 className="size-3.5" aria-hidden />
      {S.share.mark(links.length, duration((last - now.getTime()) / 1000))}
    </button>
  );
}

export function ShareDialog({ jobId, open, onClose }: { jobId: string; open: boolean; onClose: () => void }) {
  return (
    <Dialog open={open} onClose={onClose} title={S.share.title} description={S.share.text}>
      {mayChange && <NewLink jobId={jobId} />}
      <Links jobId={jobId} />
    </Dialog>
  );
}

function NewLink({ jobId }: { jobId: string }) {
  const client = useQueryClient();
  const [days, setDays] = useState(7);
  const make = useMutation({
    mutationFn: async () => {
      const share = await body(
        api.POST("/api/jobs/{job_id}/share", {
          params: { path: { job_id: jobId } },
          body: { expires_in_s: days * DAY_S },
        }),
      );
      return new URL(share.url, window.location.href).href;
    },
    onSuccess: async (link) => {
      void client.invalidateQueries({ queryKey: sharesQuery(jobId).queryKey });
      if (await copyText(link)) notify(S.share.copied);
    },
  });
  return (
    <>
      <div className="flex flex-wrap items-center gap-3">
        <label className="flex items-center gap-2 text-ink-2">
          {S.share.goodFor}
          <Select value={days} onChange={(event) => setDays(Number(event.target.value))}>
            {LIFETIMES.map((each) => (
              <option key={each} value={each}>
                {S.share.days(each)}
              </option>
            ))}
          </Select>
        </label>
        <Button tone="primary" disabled={make.isPending} onClick={() => make.mutate()}>
          <Link2 aria-hidden /> {S.share.make}
        </Button>
      </div>
      {make.data && (
        <div className="mt-3 flex items-center gap-1">
          <Input
            readOnly
            aria-label={S.share.link}
            value={make.data}
            className="font-mono text-xs"
            onFocus={(event) => event.target.select()}
          />
          <CopyButton text={make.data} label={S.share.copy} />
        </div>
      )}
    </>
  );
}

function Links({ jobId }: { jobId: string }) {
  const client = useQueryClient();
  const links = useShares(jobId);
  const now = useNow();
  const end = useMutation({
    mutationFn: () => api.DELETE("/api/jobs/{job_id}/share", { params: { path: { job_id: jobId } } }),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: sharesQuery(jobId).queryKey });
      notify(S.share.ended);
    },
  });
  return (
    <section className="mt-5 border-t pt-4" aria-label={S.share.links}>
      <h3 className="label-caps mb-2">{S.share.links}</h3>
      {links.length === 0 ? (
        <p className="text-ink-2">{S.share.none}</p>
      ) : (
        <>
          <ul className="divide-y">
            {links.map((link) => (
              <li
                key={`${link.made_at} ${link.expires_at}`}
                className="flex flex-wrap justify-between gap-x-4 py-1.5"
              >
                <span className="min-w-0 text-ink">
                  {S.share.by} <bdi className="font-medium">{link.made_by}</bdi>,{" "}
                  <Time iso={link.made_at} as="ago" />
                </span>
                <span className="text-ink-2" title={dateTime(new Date(link.expires_at))}>
                  {S.share.left(duration((Date.parse(link.expires_at) - now.getTime()) / 1000))}
                </span>
              </li>
            ))}
          </ul>
          {mayChange && (
            <div className="mt-3 flex flex-wrap items-center justify-between gap-3">
              <p className="min-w-0 flex-1 text-xs text-ink-3">{S.share.endText}</p>
              <Button tone="danger" disabled={end.isPending} onClick={() => end.mutate()}>
                <Undo2 aria-hidden /> {S.share.end}
              </Button>
            </div>
          )}
        </>
      )}
    </section>
  );
}
