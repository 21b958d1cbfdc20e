import { dbfs } from "../sound/speech";

const QUIET_DBFS = -54;
const LOUD_DBFS = -12;

/** A root mean square as the eye should see it: 0 is quiet, 1 is loud. */
export function loudness(rms: number): number {
  return Math.min(1, Math.max(0, (dbfs(rms) - QUIET_DBFS) / (LOUD_DBFS - QUIET_DBFS)));
}
