/** What WGSL's constants of whole numbers are worth: as much of its expressions as kernels declare them with. */

type Value = number | boolean;

const TOKEN = /\s*(?:(\d+)u?|([A-Za-z_]\w*)|(&&|\|\||==|!=|<=|>=|[-+*/%<>!(),]))/y;

/** Operators by how tightly they bind, the loosest first. */
const LEVELS: readonly (readonly string[])[] = [
  ["||"],
  ["&&"],
  ["==", "!=", "<", ">", "<=", ">="],
  ["+", "-"],
  ["*", "/", "%"],
];

const OPERATORS: Readonly<Record<string, (a: number, b: number) => Value>> = {
  "||": (a, b) => a + b > 0,
  "&&": (a, b) => a * b > 0,
  "==": (a, b) => a === b,
  "!=": (a, b) => a !== b,
  "<": (a, b) => a < b,
  ">": (a, b) => a > b,
  "<=": (a, b) => a <= b,
  ">=": (a, b) => a >= b,
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => Math.floor(a / b),
  "%": (a, b) => a % b,
};

const FUNCTIONS: Readonly<Record<string, (...values: Value[]) => Value>> = {
  select: (no = 0, yes = 0, condition) => (condition === true ? yes : no),
  min: (...values) => Math.min(...values.map(Number)),
  max: (...values) => Math.max(...values.map(Number)),
};

function tokens(text: string): string[] {
  const found: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null)
      throw new Error(`wgsl: "${text.slice(at)}" is no constant of whole numbers`);
    found.push(match[1] ?? match[2] ?? match[3] ?? "");
  }
  return found;
}

class Reader {
  readonly #tokens: readonly string[];
  readonly #constant: (name: string) => Value;
  #at = 0;

  constructor(text: string, constant: (name: string) => Value) {
    this.#tokens = tokens(text);
    this.#constant = constant;
  }

  read(): Value {
    const value = this.#binary(0);
    if (this.#at < this.#tokens.length) this.#fail();
    return value;
  }

  #fail(): never {
    throw new Error(
      `wgsl: unexpected "${this.#tokens[this.#at] ?? ""}" in "${this.#tokens.join(" ")}"`,
    );
  }

  #take(token: string): boolean {
    if (this.#tokens[this.#at] !== token) return false;
    this.#at += 1;
    return true;
  }

  #binary(level: number): Value {
    const operators = LEVELS[level];
    if (operators === undefined) return this.#unary();
    let value = this.#binary(level + 1);
    for (;;) {
      const operator = operators.find((candidate) => this.#take(candidate));
      if (operator === undefined) return value;
      value = OPERATORS[operator]!(Number(value), Number(this.#binary(level + 1)));
    }
  }

  #unary(): Value {
    if (this.#take("!")) return this.#unary() === false;
    if (this.#take("(")) {
      const value = this.#binary(0);
      if (!this.#take(")")) this.#fail();
      return value;
    }
    const token = this.#tokens[this.#at] ?? "";
    if (!/^\w/.test(token)) this.#fail();
    this.#at += 1;
    if (/^\d/.test(token)) return Number(token);
    if (token === "true" || token === "false") return token === "true";
    return this.#take("(") ? this.#call(token) : this.#constant(token);
  }

  #call(name: string): Value {
    const values: Value[] = [];
    while (!this.#take(")")) {
      values.push(this.#binary(0));
      if (!this.#take(",") && this.#tokens[this.#at] !== ")") this.#fail();
    }
    const made = FUNCTIONS[name];
    if (made === undefined) throw new Error(`wgsl: ${name}() is no constant of whole numbers`);
    return made(...values);
  }
}

const DECLARATION = /^const\s+(\w+)\s*(?::\s*\w+\s*)?=\s*([^;]+);/gm;

/**
 * A function that tells what an expression of a module's constants is worth. It throws where the
 * expression is anything else, such as an override.
 */
export function constantsOf(source: string): (expression: string) => number {
  const texts = new Map<string, string>();
  for (const [, name = "", text = ""] of source.matchAll(DECLARATION)) texts.set(name, text);
  const values = new Map<string, Value>();
  const constant = (name: string): Value => {
    const known = values.get(name);
    if (known !== undefined) return known;
    const text = texts.get(name);
    if (text === undefined) throw new Error(`wgsl: ${name} is no constant of the module`);
    const value = new Reader(text, constant).read();
    values.set(name, value);
    return value;
  };
  return (expression) => Number(new Reader(expression, constant).read());
}
