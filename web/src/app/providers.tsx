import { MutationCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { useEffect, type ReactNode } from "react";
import { ApiError } from "@/api/client";
import { LiveHub } from "@/api/live/hub";
import { HubContext } from "@/api/live/react";
import { ConfirmProvider } from "@/components/ui/confirm";
import { notifyError } from "@/components/ui/toast";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // What the server refused it would refuse again; what did not reach it may on another try.
      retry: (failures, error) =>
        failures < 3 && (!(error instanceof ApiError) || error.status === 0 || error.status >= 500),
      refetchOnWindowFocus: false,
      networkMode: "always",
    },
    // A request to a server that is away must fail and say so, not wait unseen.
    mutations: { networkMode: "always" },
  },
  mutationCache: new MutationCache({
    onError: (error, _variables, _context, mutation) => {
      if (!mutation.meta?.["quiet"]) notifyError(error);
    },
  }),
});

const hub = new LiveHub(queries);

export function Providers({ children }: { children: ReactNode }) {
  useEffect(() => hub.start(), []);
  return (
    <QueryClientProvider client={queries}>
      <HubContext value={hub}>
        <ConfirmProvider>{children}</ConfirmProvider>
      </HubContext>
    </QueryClientProvider>
  );
}
