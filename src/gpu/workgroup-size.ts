import type { Grid, Kernel } from "./kernel.ts";

const ATTRIBUTE = /@workgroup_size\(([^)]*)\)/;

/** The expression a name was declared with: `const NAME: u32 = 8u * SIDE;` or `override …`. */
function declaredValue(source: string, name: string): string | undefined {
  return new RegExp(`\\b(?:const|override)\\s+${name}\\b[^=;]*=([^;]*);`).exec(source)?.[1];
}

/** The value of a product or quotient of numbers, constants and overrides; NaN for anything else. */
function evaluate(expression: string, kernel: Kernel): number {
  const { source, overrides } = kernel;
  // A number at even places, its operator before it.
  const parts = expression.split(/([*/])/).map((part) => part.trim());
  return parts.reduce((result, part, index) => {
    if (index % 2 === 1) return result;
    const digits = /^(\d+)u?$/.exec(part)?.[1];
    let value = Number.NaN;
    if (digits !== undefined) value = Number(digits);
    else if (/^[A-Za-z]\w*$/.test(part)) {
      value = overrides[part] ?? evaluate(declaredValue(source, part) ?? "", kernel);
    }
    return parts[index - 1] === "/" ? Math.floor(result / value) : result * value;
  }, 1);
}

/**
 * Invocations of a workgroup along x, y and z, as the kernel's `@workgroup_size`, its constants and
 * its overrides have them. Throws where that cannot be told.
 */
export function workgroupSize(kernel: Kernel): Grid {
  const sizes = ATTRIBUTE.exec(kernel.source)?.[1]?.split(",");
  const size = (index: number, fallback: string): number => {
    const expression = sizes?.[index] ?? fallback;
    const value = evaluate(expression, kernel);
    if (Number.isInteger(value)) return value;
    throw new Error(
      `wgsl: kernel "${kernel.label}": its workgroup size "${expression}" is unclear`,
    );
  };
  return [size(0, ""), size(1, "1"), size(2, "1")];
}
