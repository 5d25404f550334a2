/** Every address of the page in one place. What is behind the first view is loaded when it is wanted. */
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from "@tanstack/react-router";
import { patiently } from "@/lib/patient";
import { beginOpening, loadJobDialog } from "@/features/job-detail/opening";
import { JobsPage } from "@/features/jobs/jobs-page";
import { actor, placeFor } from "./actor";
import { CrashPage, NotFoundPage } from "./fallbacks";
import { queries } from "./query-client";
import { compareSearch, homeSearch, jobSearch, newSearch } from "./search";
import { Shell } from "./shell";

const root = createRootRoute({
  component: Shell,
  notFoundComponent: NotFoundPage,
  errorComponent: CrashPage,
  beforeLoad: ({ location }) => {
    if (actor.job_id !== null && placeFor(actor, location.pathname) === "start")
      redirect({ to: "/jobs/$jobId", params: { jobId: actor.job_id }, replace: true, throw: true });
  },
});

const home = createRoute({
  getParentRoute: () => root,
  id: "home",
  component: JobsPage,
  validateSearch: homeSearch,
});
const index = createRoute({ getParentRoute: () => home, path: "/" });
const job = createRoute({
  getParentRoute: () => home,
  path: "/jobs/$jobId",
  validateSearch: jobSearch,
  loader: ({ params, location }) => {
    if (placeFor(actor, location.pathname) === "here") beginOpening(queries, params.jobId);
  },
  shouldReload: false,
  component: lazyRouteComponent(() => patiently(loadJobDialog), "JobDialog"),
});
const create = createRoute({
  getParentRoute: () => root,
  path: "/new",
  validateSearch: newSearch,
  component: lazyRouteComponent(() => patiently(() => import("@/features/new-training/new-page")), "NewPage"),
});
const characters = createRoute({
  getParentRoute: () => root,
  path: "/characters",
  component: lazyRouteComponent(
    () => patiently(() => import("@/features/characters/characters-page")),
    "CharactersPage",
  ),
});
const character = createRoute({
  getParentRoute: () => root,
  path: "/characters/$characterId",
  component: lazyRouteComponent(
    () => patiently(() => import("@/features/characters/character-page")),
    "CharacterPage",
  ),
});
const compare = createRoute({
  getParentRoute: () => root,
  path: "/compare",
  validateSearch: compareSearch,
  component: lazyRouteComponent(
    () => patiently(() => import("@/features/compare/compare-page")),
    "ComparePage",
  ),
});

export const router = createRouter({
  routeTree: root.addChildren([home.addChildren([index, job]), create, characters, character, compare]),
  defaultPreload: "intent",
  scrollRestoration: false,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
