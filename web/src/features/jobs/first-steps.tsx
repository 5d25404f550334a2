/** What a new user sees: the demo in one click. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Play } from "lucide-react";
import { api, body } from "@/api/client";
import { storeJob } from "@/api/queries";
import { mayChange } from "@/app/actor";
import { Button } from "@/components/ui/button";
import { ButtonLink } from "@/components/ui/link";
import { S } from "@/strings";

/** The learning of a subject, drawn: noise that clears towards the right. */
function Strip() {
  const tiles = [0.08, 0.2, 0.42, 0.7, 1];
  return (
    <svg viewBox="0 0 362 72" className="w-full max-w-md text-signal" aria-hidden>
      {tiles.map((clear, index) => (
        <g key={clear} transform={`translate(${index * 73} 0)`}>
          <rect width="68" height="68" x="1" y="1" rx="8" className="fill-raised stroke-line" />
          <path
            d="M24 56V34l-5-11 9 6 6-11 6 11 9-6-5 11v22z"
            fill="none"
            stroke="currentColor"
            strokeWidth="2.5"
            strokeLinejoin="round"
            opacity={clear}
          />
          {Array.from({ length: Math.round((1 - clear) * 26) }, (_, dot) => (
            <circle
              key={dot}
              cx={10 + ((dot * 37 + index * 11) % 50)}
              cy={10 + ((dot * 53 + index * 17) % 50)}
              r="1.4"
              className="fill-ink-3"
            />
          ))}
        </g>
      ))}
    </svg>
  );
}

export function FirstSteps() {
  const client = useQueryClient();
  const navigate = useNavigate();
  const demo = useMutation({
    mutationFn: () => body(api.POST("/api/demo")),
    onSuccess: ({ job }) => {
      storeJob(client, job);
      void client.invalidateQueries({ queryKey: ["characters"] });
      void navigate({ to: "/jobs/$jobId", params: { jobId: job.id }, search: {} });
    },
  });
  return (
    <section className="panel flex flex-col items-center gap-5 px-6 py-16 text-center">
      <Strip />
      <h2 className="text-xl font-semibold">{S.jobs.nothing}</h2>
      <p className="max-w-md text-base text-ink-2">{S.jobs.nothingText}</p>
      {mayChange && (
        <div className="flex flex-wrap justify-center gap-3">
          <Button tone="primary" size="lg" onClick={() => demo.mutate()} disabled={demo.isPending}>
            <Play aria-hidden /> {demo.isPending ? S.jobs.demoStarting : S.jobs.demo}
          </Button>
          <ButtonLink to="/new" size="lg">
            {S.jobs.own}
          </ButtonLink>
        </div>
      )}
    </section>
  );
}
