/** The time scale of every strip, in milliseconds. */
export const SCALE_MS = 3_000;

const MARKS = [
  { ms: 500, text: "0.5\u202fs" },
  { ms: 1_000, text: "1\u202fs" },
  { ms: 2_000, text: "2\u202fs" },
];

/** Lines at the same places on every strip; `named` says what they stand for. */
export function Marks({
  named = false,
  budgetMs,
}: {
  named?: boolean;
  budgetMs?: number | undefined;
}) {
  return (
    <div className="marks" aria-hidden="true">
      {MARKS.map(({ ms, text }) => (
        <div key={ms} className="mark" style={{ left: `${(ms / SCALE_MS) * 100}%` }}>
          {named && <span>{text}</span>}
        </div>
      ))}
      {budgetMs !== undefined && budgetMs < SCALE_MS && (
        <div className="mark budget" style={{ left: `${(budgetMs / SCALE_MS) * 100}%` }} />
      )}
    </div>
  );
}
