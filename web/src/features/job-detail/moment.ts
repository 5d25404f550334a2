/** The one moment that chart, logs, samples, checkpoints and GPU curve show: a step, kept in the address. */
import { useNavigate } from "@tanstack/react-router";
import { createContext, use, useCallback, useMemo } from "react";
import { JobRoute, type Tab } from "@/app/routes";

export interface Moment {
  /** The chosen step; null means the live end. */
  step: number | null;
  setStep: (step: number | null) => void;
  /** Shows another tab, at a step or a journal line where one is given. */
  goTo: (tab: Tab, at?: { step?: number; line?: number }) => void;
}

export const MomentContext = createContext<Moment | null>(null);

export function useMoment(): Moment {
  const moment = use(MomentContext);
  if (!moment) throw new Error("the moment is missing above this component");
  return moment;
}

export function useMomentState(): Moment {
  const { step } = JobRoute.useSearch();
  const navigate = useNavigate({ from: "/jobs/$jobId" });
  const setStep = useCallback(
    (next: number | null) =>
      void navigate({
        search: (known) => ({ ...known, step: next ?? undefined, line: undefined }),
        replace: true,
      }),
    [navigate],
  );
  const goTo = useCallback<Moment["goTo"]>(
    (tab, at) =>
      void navigate({
        search: (known) => ({
          ...known,
          tab: tab === "overview" ? undefined : tab,
          line: at?.line,
          ...(at?.step === undefined ? {} : { step: at.step }),
        }),
        replace: true,
      }),
    [navigate],
  );
  return useMemo(() => ({ step: step ?? null, setStep, goTo }), [step, setStep, goTo]);
}
