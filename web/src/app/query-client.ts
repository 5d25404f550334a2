/** The page's one cache of answers. */
import { MutationCache, QueryClient } from "@tanstack/react-query";
import { ApiError } from "@/api/client";
import { notifyError } from "@/components/ui/toast";

export const queries = new QueryClient({
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
