/** Prices computed by hand; each row's sum stands beside it. */
import { describe, expect, test } from "vitest";
import type { PricingItemConfig } from "../../worker/pricing/catalog.ts";
import { priceOf } from "../../worker/pricing/price.ts";
import { priceRuleOf } from "../../worker/pricing/price-rule.ts";
import { amountOf, configWith, priceText, quantity, ruleWith } from "./support/priced.ts";

type Row = readonly [quantity: string, amount: string];

function golden(title: string, config: Partial<PricingItemConfig>, rows: readonly Row[]): void {
  test.each(rows)(`${title}: %s costs %s`, (units, amount) => {
    expect(priceText(config, units)).toBe(amount);
  });
}

/** Up to 100 for 1 each, up to 1,000 for 0.5, beyond for 0.25. */
const THREE_BANDS = [
  { tier_top_bound: "100", amount: "1" },
  { tier_top_bound: "1000", amount: "0.5" },
  { tier_top_bound: null, amount: "0.25" },
];
const THREE_FIXED = [
  { tier_top_bound: "100", amount: "1", fixed_amount: "10" },
  { tier_top_bound: "1000", amount: "0.5", fixed_amount: "20" },
  { amount: "0.25", fixed_amount: "30" },
];

describe("NONE and FIXED", () => {
  golden("NONE is free", { pricing_type: "NONE", bands: [{ amount: "9", fixed_amount: "9" }] }, [
    ["0", "0"],
    ["1000000", "0"],
  ]);
  golden("FIXED is charged once there is anything", { pricing_type: "FIXED", bands: [{ fixed_amount: "25" }] }, [
    ["-1", "0"],
    ["0", "0"],
    ["0.000000000001", "25"],
    ["1", "25"],
    ["1000000", "25"],
  ]);
  golden(
    "FIXED begins above what is included",
    { pricing_type: "FIXED", included_volume: { number: "10" }, bands: [{ fixed_amount: "25" }] },
    [
      ["10", "0"],
      ["10.1", "25"],
    ],
  );
});

describe("FLAT", () => {
  golden("each unit", { bands: [{ amount: "0.1" }] }, [
    ["-5", "0"],
    ["0", "0"],
    ["0.000000000001", "0.0000000000001"], // 10^-12 × 0.1: exact, not cut at 12 places
    ["3", "0.3"], // 3 × 0.1, which floats make 0.30000000000000004
    ["12345678901234567890", "1234567890123456789"],
  ]);
  golden("with a fixed amount", { bands: [{ amount: "2", fixed_amount: "5" }] }, [
    ["0", "0"],
    ["0.5", "6"], // 0.5 × 2 + 5
    ["3", "11"], // 3 × 2 + 5
  ]);
  golden("beyond what is included", { included_volume: { number: "100" }, bands: [{ amount: "0.02" }] }, [
    ["0", "0"],
    ["99.99", "0"],
    ["100", "0"],
    ["100.01", "0.0002"], // 0.01 × 0.02
    ["150", "1"], // 50 × 0.02
  ]);
  golden("at a negative rate", { bands: [{ amount: "-0.5" }] }, [["3", "-1.5"]]);
});

describe("blocks", () => {
  golden("NONE prices parts of a block", { bands: [{ amount: "2", block_size: "100" }] }, [
    ["0", "0"],
    ["1", "0.02"], // 1 × 2 ÷ 100
    ["99", "1.98"],
    ["100", "2"],
    ["101", "2.02"],
  ]);
  golden("the division is done last and rounded once, half even", { bands: [{ amount: "1", block_size: "3" }] }, [
    ["1", "0.333333333333"],
    ["2", "0.666666666667"],
    ["3", "1"], // 3 × 1 ÷ 3, not 3 × 0.333…
  ]);
  golden("ties go to the even digit", { bands: [{ amount: "0.000000000001", block_size: "2" }] }, [
    ["1", "0"], // 0.5 × 10^-12
    ["3", "0.000000000002"], // 1.5 × 10^-12
    ["5", "0.000000000002"], // 2.5 × 10^-12
    ["7", "0.000000000004"], // 3.5 × 10^-12
  ]);
  golden("UP prices every block begun", { bands: [{ amount: "2", block_size: "100", block_rounding: "UP" }] }, [
    ["0", "0"],
    ["0.000000000001", "2"],
    ["100", "2"],
    ["100.000000000001", "4"],
    ["200", "4"],
    ["200.0000000000000000000001", "6"], // finer than any division would show
  ]);
  golden(
    "UP counts from what is included",
    { included_volume: { number: "50" }, bands: [{ amount: "2", block_size: "100", block_rounding: "UP" }] },
    [
      ["50", "0"],
      ["150", "2"],
      ["150.5", "4"],
    ],
  );
  golden(
    "in TIERED each band has its own",
    {
      pricing_type: "TIERED",
      bands: [
        { tier_top_bound: "10", amount: "1", block_size: "4", block_rounding: "UP" },
        { amount: "5", block_size: "20", block_rounding: "UP" },
      ],
    },
    [
      ["4", "1"],
      ["4.1", "2"],
      ["10", "3"], // ⌈10/4⌉ = 3
      ["10.1", "8"], // 3 + ⌈0.1/20⌉ × 5
      ["30", "8"], // 3 + ⌈20/20⌉ × 5
      ["31", "13"], // 3 + ⌈21/20⌉ × 5
    ],
  );
  golden(
    "in TOP_TIERED all of it is in the band it falls in",
    {
      pricing_type: "TOP_TIERED",
      bands: [
        { tier_top_bound: "10", amount: "1" },
        { amount: "5", block_size: "20", block_rounding: "UP" },
      ],
    },
    [
      ["10", "10"],
      ["11", "5"], // ⌈11/20⌉ × 5
      ["21", "10"], // ⌈21/20⌉ × 5
    ],
  );
});

describe("TIERED", () => {
  golden("each unit at its own band's amount", { pricing_type: "TIERED", bands: THREE_BANDS }, [
    ["0", "0"],
    ["100", "100"],
    ["100.01", "100.005"], // 100 + 0.01 × 0.5
    ["101", "100.5"],
    ["1000", "550"], // 100 + 900 × 0.5
    ["1000.01", "550.0025"],
    ["2000", "800"], // 550 + 1,000 × 0.25
  ]);
  golden("plus the fixed amount of each band entered", { pricing_type: "TIERED", bands: THREE_FIXED }, [
    ["0", "0"],
    ["1", "11"], // 1 + 10
    ["100", "110"],
    ["100.01", "130.005"], // 110 + 20 + 0.005
    ["1000", "580"], // 550 + 10 + 20
    ["1001", "610.25"], // 550.25 + 10 + 20 + 30
  ]);
  golden(
    "the included volume is taken off before the bands",
    { pricing_type: "TIERED", included_volume: { number: "50" }, bands: THREE_BANDS },
    [
      ["50", "0"],
      ["51", "1"],
      ["150", "100"],
      ["151", "100.5"],
    ],
  );
});

describe("TOP_TIERED", () => {
  golden("all of it at one band's amount", { pricing_type: "TOP_TIERED", bands: THREE_BANDS }, [
    ["0", "0"],
    ["100", "100"],
    ["101", "50.5"], // 101 × 0.5
    ["1000", "500"],
    ["1001", "250.25"], // 1,001 × 0.25
  ]);
  golden("plus that band's fixed amount alone", { pricing_type: "TOP_TIERED", bands: THREE_FIXED }, [
    ["0", "0"],
    ["100", "110"],
    ["100.01", "70.005"], // 100.01 × 0.5 + 20
    ["1001", "280.25"], // 250.25 + 30
  ]);
});

describe("STAIR_STEP", () => {
  const published = {
    pricing_type: "STAIR_STEP",
    bands: [
      { tier_top_bound: "100", fixed_amount: "25" },
      { tier_top_bound: "1000", fixed_amount: "20" },
      { fixed_amount: "15" },
    ],
  } as const;
  golden("the bands entered add up (Solvimon's published example)", published, [
    ["0", "0"],
    ["1", "25"],
    ["100", "25"],
    ["100.01", "45"],
    ["200", "45"], // the example: 25 + 20
    ["1000", "45"],
    ["1000.01", "60"],
  ]);
});

describe("PASS_THROUGH", () => {
  golden("the whole amount where no percentage is named", { pricing_type: "PASS_THROUGH", bands: [{}] }, [
    ["0", "0"],
    ["12.34", "12.34"],
  ]);
  golden(
    "a percentage and a fixed amount",
    { pricing_type: "PASS_THROUGH", bands: [{ percentage: "2.9", fixed_amount: "0.3" }] },
    [
      ["-10", "0"],
      ["0", "0"],
      ["100", "3.2"], // 2.9 + 0.3
      ["0.01", "0.30029"], // 0.00029 + 0.3
    ],
  );
});

describe("clamps", () => {
  const clamped = { min_amount: "5", max_amount: "10" };
  golden("hold once anything is billable", { ...clamped, bands: [{ amount: "1" }] }, [
    ["0", "0"],
    ["0.01", "5"],
    ["5", "5"],
    ["5.01", "5.01"],
    ["10", "10"],
    ["10.01", "10"],
  ]);
  golden("wait for what is included", { ...clamped, included_volume: { number: "3" }, bands: [{ amount: "1" }] }, [
    ["3", "0"],
    ["3.01", "5"],
    ["13", "10"],
    ["14", "10"],
  ]);
  golden("hold for STAIR_STEP", { max_amount: "30", pricing_type: "STAIR_STEP", bands: THREE_FIXED }, [
    ["100", "10"],
    ["101", "30"], // 10 + 20
    ["1001", "30"], // 10 + 20 + 30, cut
  ]);
  golden("raise a negative price", { min_amount: "-1", bands: [{ amount: "-1" }] }, [
    ["0.5", "-0.5"],
    ["2", "-1"],
  ]);
});

describe("an average", () => {
  test("is divided where its price is, not before: a third of 4 at 3 each is 4", () => {
    expect(amountOf(priceOf(ruleWith({ bands: [{ amount: "3" }] }), quantity("4", 3)))).toBe("4");
  });

  test("is compared with bounds exactly: 300/3 is still in the band that ends at 100", () => {
    const rule = ruleWith({ pricing_type: "TOP_TIERED", bands: THREE_BANDS });
    expect(amountOf(priceOf(rule, quantity("300", 3)))).toBe("100");
    // 300.00000000000001 ÷ 3 × 0.5, to 12 places
    expect(amountOf(priceOf(rule, quantity("300.00000000000001", 3)))).toBe("50");
  });

  test("begins blocks exactly: 200/2 is one block of 100", () => {
    const rule = ruleWith({ bands: [{ amount: "7", block_size: "100", block_rounding: "UP" }] });
    expect(amountOf(priceOf(rule, quantity("200", 2)))).toBe("7");
    expect(amountOf(priceOf(rule, quantity("200.1", 2)))).toBe("14");
  });
});

test("no quantity at all costs nothing, fixed amounts and clamps included", () => {
  expect(amountOf(priceOf(ruleWith({ min_amount: "5", bands: [{ amount: "1", fixed_amount: "3" }] }), null))).toBe("0");
});

test.each(["FLAT_TOP_UP", "TIERED_TOP_UP", "STAIR_STEP_TOP_UP"] as const)("%s has no rule", (pricing_type) => {
  expect(priceRuleOf(configWith({ pricing_type }))).toBeNull();
});
