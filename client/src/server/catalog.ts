/** What can be chosen: the bots and the pipelines. */

import { request } from "./request";

export interface Bot {
  name: string;
  title: string;
  summary: string;
  default: boolean;
}

export interface Pipeline {
  name: string;
  summary: string;
  default: boolean;
  ready: boolean;
  /** What it lacks, a sentence each. */
  missing: string[];
}

export interface Catalog {
  bots: Bot[];
  pipelines: Pipeline[];
}

export interface Choice {
  bot: string;
  pipeline: string;
}

export async function loadCatalog(): Promise<Catalog> {
  const [{ bots }, { pipelines }] = await Promise.all([
    request<{ bots: Bot[] }>("bots"),
    request<{ pipelines: Pipeline[] }>("pipelines"),
  ]);
  return { bots, pipelines };
}

/** The choice to begin with: what the link asks for, as far as it is there and ready. */
export function firstChoice({ bots, pipelines }: Catalog, query: URLSearchParams): Choice {
  const ready = pipelines.filter((pipeline) => pipeline.ready);
  return {
    bot: pick(bots, query.get("bot")),
    pipeline: pick(ready, query.get("pipeline")),
  };
}

/** What the link asks for in vain, a sentence each. */
export function unmet({ bots, pipelines }: Catalog, query: URLSearchParams): string[] {
  const sentences: string[] = [];
  const bot = query.get("bot");
  if (bot && !bots.some(({ name }) => name === bot)) sentences.push(`There is no bot “${bot}”.`);
  const pipeline = query.get("pipeline");
  if (pipeline && !pipelines.some(({ name }) => name === pipeline)) {
    sentences.push(`There is no pipeline “${pipeline}”.`);
  }
  return sentences;
}

function pick(from: { name: string; default: boolean }[], wanted: string | null): string {
  const found = from.find(({ name }) => name === wanted) ?? from.find((one) => one.default);
  return (found ?? from[0])?.name ?? "";
}
