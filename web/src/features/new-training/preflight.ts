/** What the server thinks of the plan; follows the form, and never shows an answer to an older state. */
import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { api, body } from "@/api/client";
import type { Preflight } from "@/api/types";

/** The check follows the form at this distance, ms. */
const SETTLE_MS = 600;

export function usePreflight(
  characterId: string | null,
  trainer: string,
  config: Record<string, unknown>,
  valid: boolean,
): Preflight | undefined {
  const plan = useMemo(
    () => ({ character_id: characterId ?? "", trainer, config }),
    [characterId, trainer, config],
  );
  const [settled, setSettled] = useState(plan);
  useEffect(() => {
    const timer = window.setTimeout(() => setSettled(plan), SETTLE_MS);
    return () => window.clearTimeout(timer);
  }, [plan]);
  const { data } = useQuery({
    queryKey: ["preflight", settled],
    queryFn: ({ signal }) => body(api.POST("/api/training/preflight", { body: settled, signal })),
    enabled: valid,
    retry: false,
    gcTime: 10_000,
    placeholderData: (before) => before,
  });
  return valid ? data : undefined;
}
