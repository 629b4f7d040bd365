/**
 * WGSL as stored in `.wgsl` files → the source a pipeline is compiled from, and what that source
 * says about its bindings and uniforms, so that TypeScript never repeats it.
 */

/** Values for lines marked `// @param`: a number, a boolean or a type name such as `f16`. */
export type KernelConstants = Readonly<Record<string, number | boolean | string>>;

/** `const NAME: T = value; // @param …` or `alias NAME = type; // @param …`. */
const PARAM_LINE =
  /^(const\s+(\w+)\s*:\s*(\w+)\s*=\s*|alias\s+(\w+)\s*=\s*)([^;]+);(\s*\/\/ @param.*)$/gm;

const DIRECTIVE_LINE = /^\s*(?:enable|requires|diagnostic)\b[^;]*;[^\n]*$/gm;

function literal(type: string | undefined, value: number | boolean | string): string {
  if (typeof value !== "number") return String(value);
  if (type === "u32") return `${value}u`;
  if (type === "f32" && Number.isInteger(value)) return `${value}.0`;
  return String(value);
}

/**
 * Rewrites the `// @param` lines of `source` with `constants`. Throws on a name the source does not
 * declare, so that a misspelt parameter cannot silently keep its default.
 */
export function specialize(source: string, constants: KernelConstants): string {
  const unused = new Set(Object.keys(constants));
  const specialized = source.replace(
    PARAM_LINE,
    (
      line,
      head: string,
      constName: string | undefined,
      type: string | undefined,
      aliasName: string | undefined,
      _value: string,
      tail: string,
    ) => {
      const name = constName ?? aliasName ?? "";
      const value = constants[name];
      if (value === undefined) return line;
      unused.delete(name);
      return `${head}${literal(type, value)};${tail}`;
    },
  );
  if (unused.size > 0) {
    throw new Error(`wgsl: no "// @param" line declares ${[...unused].join(", ")}`);
  }
  return specialized;
}

/**
 * Joins helper files and a kernel into one module: directives first, once each, as WGSL wants them.
 * `enable f16` is added where the code uses the type, so that one file serves both element types.
 */
export function assemble(parts: readonly string[]): string {
  const directives = new Set<string>();
  const bodies = parts.map((part) =>
    part.replace(DIRECTIVE_LINE, (line) => {
      directives.add(line.trim().replace(/\s*\/\/.*$/, ""));
      return "";
    }),
  );
  const code = bodies.join("\n");
  if (/\bf16\b|\d+h\b/.test(code.replace(/\/\/.*$/gm, ""))) directives.add("enable f16;");
  return `${[...directives].sort().join("\n")}\n${code}`;
}

/** A resource a kernel binds in group 0. */
export interface BindingDeclaration {
  readonly binding: number;
  readonly name: string;
  readonly type: "uniform" | "storage" | "read-only-storage";
}

/** A scalar member of a kernel's `Params` struct; four bytes each, in order. */
export interface ParamDeclaration {
  readonly name: string;
  readonly type: "u32" | "i32" | "f32";
}

const BINDING =
  /@group\(0\)\s*@binding\((\d+)\)\s*var<(uniform|storage)(?:\s*,\s*(read|read_write))?>\s*(\w+)\s*:/g;

/** The bindings a module declares, by binding number. */
export function parseBindings(source: string): BindingDeclaration[] {
  const bindings: BindingDeclaration[] = [];
  for (const [, binding, space, access, name] of source.matchAll(BINDING)) {
    bindings.push({
      binding: Number(binding),
      name: name ?? "",
      type:
        space === "uniform" ? "uniform" : access === "read_write" ? "storage" : "read-only-storage",
    });
  }
  return bindings.sort((a, b) => a.binding - b.binding);
}

/** The members of `struct Params`, or none. Only four-byte scalars are allowed there. */
export function parseParams(source: string): ParamDeclaration[] {
  const struct = /struct\s+Params\s*\{([^}]*)\}/.exec(source)?.[1];
  if (struct === undefined) return [];
  const members = struct.replace(/\/\/.*$/gm, "").split(",");
  return members
    .map((member) => member.trim())
    .filter((member) => member !== "")
    .map((member) => {
      const [, name, type] = /^(\w+)\s*:\s*(u32|i32|f32)$/.exec(member) ?? [];
      if (name === undefined) throw new Error(`wgsl: Params member "${member}" is not a scalar`);
      return { name, type: type as ParamDeclaration["type"] };
    });
}

const PARAMS_UNIFORM = /@group\(0\)\s*@binding\(\d+\)\s*var<uniform>(\s*params\s*:\s*Params\s*);/;

/** `source` with its `Params` as constants, which compilers compute with. */
export function fixParams(
  source: string,
  declarations: readonly ParamDeclaration[],
  values: Readonly<Record<string, number>>,
): string {
  const members = declarations.map(({ name, type }) => {
    const value = values[name];
    if (value === undefined) throw new Error(`wgsl: no value for Params.${name}`);
    return `${type}(${value})`;
  });
  return source.replace(PARAMS_UNIFORM, `const params = Params(${members.join(", ")});`);
}

/** `source` with its `Params` uniform, if any, as immediates: no memory to read them from. */
export function takeImmediates(source: string): string {
  if (!PARAMS_UNIFORM.test(source)) return source;
  return `requires immediate_address_space;\n${source.replace(PARAMS_UNIFORM, "var<immediate>$1;")}`;
}

/** Encodes `values` as the bytes of a `Params` struct. Every member must be given. */
export function encodeParams(
  declarations: readonly ParamDeclaration[],
  values: Readonly<Record<string, number>>,
  target: DataView,
): void {
  declarations.forEach(({ name, type }, index) => {
    const value = values[name];
    if (value === undefined) throw new Error(`wgsl: no value for Params.${name}`);
    if (type === "f32") target.setFloat32(4 * index, value, true);
    else if (type === "i32") target.setInt32(4 * index, value, true);
    else target.setUint32(4 * index, value, true);
  });
}
