/** Handles of the routes for the features, which must not import the router that imports them. */
import { getRouteApi } from "@tanstack/react-router";

export type { CompareSearch, HomeSearch, JobSearch, NewSearch, Tab } from "./search";

export const HomeRoute = getRouteApi("/home");
export const JobRoute = getRouteApi("/home/jobs/$jobId");
export const NewRoute = getRouteApi("/new");
export const CompareRoute = getRouteApi("/compare");
export const CharacterRoute = getRouteApi("/characters/$characterId");
