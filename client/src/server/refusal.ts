/** An answer of the server that is no. */

export interface Refusal {
  /** HTTP status; 0 when the server did not answer at all. */
  status: number;
  code: string;
  message: string;
  field: string | undefined;
  /** Seconds after which another try makes sense. */
  retryAfterSecs: number | undefined;
}

export class RefusedError extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

/** The refusal that `response` carries; also where a proxy answered in its own words. */
export async function readRefusal(response: Response): Promise<Refusal> {
  const body: unknown = await response.json().catch(() => undefined);
  const error = isObject(body) && isObject(body.error) ? body.error : {};
  const retryAfterSecs = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  return {
    status: response.status,
    code: text(error.code) ?? `http_${response.status}`,
    message: text(error.message) ?? `The server answered ${response.status}.`,
    field: text(error.field),
    retryAfterSecs: Number.isNaN(retryAfterSecs) ? undefined : retryAfterSecs,
  };
}

export const UNREACHABLE: Refusal = {
  status: 0,
  code: "unreachable",
  message: "The server does not answer.",
  field: undefined,
  retryAfterSecs: undefined,
};

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
