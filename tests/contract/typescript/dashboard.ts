// What a dashboard would write: compiled against the types of the document, never run.
import type { components, operations } from "./api";

type Rows = operations["rows_forecasts"]["responses"]["200"]["content"]["application/json"];
type Asked = NonNullable<operations["rows_forecasts"]["parameters"]["query"]>;

export const asked: Asked = {
  item_id: "I-0001",
  limit: 10,
  sort: ["-date"],
  select: ["date", "forecast"],
  filters: { date__gte: "2025-10-01", actual__isnull: false },
};

export function points(rows: Rows): [string, number][] {
  return rows.data.map((row) => [row.date ?? "", row.forecast ?? 0]);
}

export function lineage(rows: Rows): string {
  const told: components["schemas"]["Metadata"] = rows.metadata;
  return `${told.dataset_id} ${told.model_version} ${told.generation}`;
}

// @ts-expect-error there is no such column
export const misspelt: Asked = { itm_id: "I-0001" };
// @ts-expect-error a column is not text because it looks like it
export const mistyped: Asked = { forecast: "much" };
// @ts-expect-error nothing can be sorted by what is not there
export const unsorted: Asked = { sort: ["-dat"] };
