/** What can be chosen: the bots, the pipelines, the transports. */

import { isLineName, type LineName } from "../call/lines/line";
import { RefusedError } from "./refusal";
import { request } from "./request";

export interface Bot {
  name: string;
  title: string;
  summary: string;
  default: boolean;
}

interface Readiness {
  default: boolean;
  ready: boolean;
  /** What it lacks, a sentence each. */
  missing: string[];
}

export interface Pipeline extends Readiness {
  name: string;
  summary: string;
}

export interface Transport extends Readiness {
  name: LineName;
  title: string;
}

export interface Catalog {
  bots: Bot[];
  pipelines: Pipeline[];
  /** Those that this page has a line for. */
  transports: Transport[];
}

export interface Choice {
  bot: string;
  pipeline: string;
  transport: LineName;
}

const WEBRTC: Transport = {
  name: "webrtc",
  title: "WebRTC",
  default: true,
  ready: true,
  missing: [],
};

export async function loadCatalog(): Promise<Catalog> {
  const [{ bots }, { pipelines }, transports] = await Promise.all([
    request<{ bots: Bot[] }>("bots"),
    request<{ pipelines: Pipeline[] }>("pipelines"),
    loadTransports(),
  ]);
  return { bots, pipelines, transports };
}

/** A server that knows nothing of transports has this one. */
async function loadTransports(): Promise<Transport[]> {
  try {
    const { transports } = await request<{ transports: Transport[] }>("transports");
    return transports.filter(({ name }) => isLineName(name));
  } catch (error) {
    if (error instanceof RefusedError && error.refusal.status === 404) return [WEBRTC];
    throw error;
  }
}

/** The choice to begin with: what the link asks for, as far as it is there and ready. */
export function firstChoice(catalog: Catalog, query: URLSearchParams): Choice {
  const { bots, pipelines, transports } = catalog;
  return {
    bot: pick(bots, query.get("bot"))?.name ?? "",
    pipeline: pick(pipelines.filter(isReady), query.get("pipeline"))?.name ?? "",
    transport: pick(transports.filter(isReady), wantedTransport(query))?.name ?? "webrtc",
  };
}

/** What the link asks for in vain, a sentence each. */
export function unmet(catalog: Catalog, query: URLSearchParams): string[] {
  return [
    ...absent("bot", catalog.bots, query.get("bot")),
    ...absent("pipeline", catalog.pipelines, query.get("pipeline")),
    ...absent("transport", catalog.transports, wantedTransport(query)),
    ...unready("pipeline", catalog.pipelines, query.get("pipeline")),
    ...unready("transport", catalog.transports, wantedTransport(query)),
  ];
}

/**
 * The page's own address for a choice. A link with `transport` goes straight in; this one, which
 * a person may reload, has `via` and only chooses.
 */
export function addressOf({ bot, pipeline, transport }: Choice, catalog: Catalog): string {
  const several = catalog.transports.filter(isReady).length > 1;
  return `?${new URLSearchParams({ bot, pipeline, ...(several ? { via: transport } : {}) })}`;
}

/** Whether the link asks to be connected at once. */
export function goesStraightIn(query: URLSearchParams): boolean {
  return query.has("transport") || query.has("go");
}

export function isReady({ ready }: Readiness): boolean {
  return ready;
}

function wantedTransport(query: URLSearchParams): string | null {
  return query.get("transport") ?? query.get("via");
}

function absent(kind: string, from: { name: string }[], wanted: string | null): string[] {
  const isThere = !wanted || from.some(({ name }) => name === wanted);
  return isThere ? [] : [`There is no ${kind} “${wanted}”.`];
}

function unready(
  kind: string,
  from: (Readiness & { name: string })[],
  wanted: string | null,
): string[] {
  const found = from.find(({ name }) => name === wanted);
  return !found || found.ready
    ? []
    : [`The ${kind} “${wanted}” is not ready here. ${found.missing.join(" ")}`.trim()];
}

function pick<One extends { name: string; default: boolean }>(
  from: One[],
  wanted: string | null,
): One | undefined {
  return from.find(({ name }) => name === wanted) ?? from.find((one) => one.default) ?? from[0];
}
