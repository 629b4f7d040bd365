import type { UnaryOperation } from "./elementwise-unary.ts";

/** erf by its Maclaurin series, or 1 − a continued fraction of erfc: good to 1e-15. */
export function erf(x: number): number {
  const magnitude = Math.abs(x);
  if (magnitude > 3) {
    let fraction = 0;
    for (let k = 60; k >= 1; k--) fraction = k / 2 / (magnitude + fraction);
    const erfc = Math.exp(-x * x) / (Math.sqrt(Math.PI) * (magnitude + fraction));
    return Math.sign(x) * (1 - erfc);
  }
  let term = x;
  let sum = x;
  for (let n = 1; n < 100; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

function roundHalfEven(x: number): number {
  const rounded = Math.round(x);
  return Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : rounded;
}

/** One element of {@link elementwiseUnary}, in float64. */
export function unaryReference(operation: UnaryOperation, x: number): number {
  switch (operation.op) {
    case "sigmoid":
      return 1 / (1 + Math.exp(-x));
    case "silu":
      return x / (1 + Math.exp(-x));
    case "relu":
      return Math.max(x, 0);
    case "tanh":
      return Math.tanh(x);
    case "exp":
      return Math.exp(x);
    case "sqrt":
      return Math.sqrt(x);
    case "rsqrt":
      return 1 / Math.sqrt(x);
    case "abs":
      return Math.abs(x);
    case "neg":
      return -x;
    case "sin":
      return Math.sin(x);
    case "cos":
      return Math.cos(x);
    case "round":
      return roundHalfEven(x);
    case "gelu_erf":
      return 0.5 * x * (1 + erf(x / Math.SQRT2));
    case "gelu_tanh":
      return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
    case "hardswish":
      return (x * Math.min(Math.max(x + 3, 0), 6)) / 6;
    case "clamp":
      return Math.min(
        Math.max(x, operation.min ?? Number.NEGATIVE_INFINITY),
        operation.max ?? Number.POSITIVE_INFINITY,
      );
    case "pow_scalar":
      return x ** operation.exponent;
    case "leaky_relu":
      return x < 0 ? operation.slope * x : x;
    case "affine":
      return operation.slope * x + operation.offset;
    default:
      return operation satisfies never;
  }
}
