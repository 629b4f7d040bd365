import { Template } from "@huggingface/jinja";
import { FormatError, RequestError } from "../errors.ts";
import { CHATML_TEMPLATE, LLAMA3_TEMPLATE } from "./chat-fallbacks.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** A message of a conversation. Templates read further fields: `tool_calls`, `name`. */
export interface ChatMessage {
  /** `system`, `user`, `assistant`, `tool`. */
  readonly role: string;
  /** Text, or what else the model's template reads. */
  readonly content: unknown;
  readonly [field: string]: unknown;
}

export interface RenderOptions {
  readonly bosToken?: string | undefined;
  readonly eosToken?: string | undefined;
  /** Ends with the beginning of the assistant's turn. Default: true. */
  readonly addGenerationPrompt?: boolean;
  /** JSON schemas of tools the model may call. */
  readonly tools?: readonly unknown[];
  /** Further variables of the template: `enable_thinking`. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** The longest templates in use are some 30 KB. */
const MAX_TEMPLATE_LENGTH = 2 ** 20;

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** A parsed chat template: parse once, render often. */
export class ChatTemplate {
  readonly #template: Template;

  /** Parses Jinja. Throws `FormatError` where `source` is not a valid template. */
  constructor(source: string) {
    if (source.length > MAX_TEMPLATE_LENGTH)
      throw new FormatError(
        `chat template: ${source.length} characters; at most ${MAX_TEMPLATE_LENGTH} are supported`,
      );
    try {
      this.#template = new Template(source);
    } catch (cause) {
      throw new FormatError(`chat template: ${reason(cause)}`, { cause });
    }
  }

  /**
   * The prompt text of a conversation. Throws `RequestError` where the template refuses it (roles
   * that do not alternate) or fails on it.
   */
  render(messages: readonly ChatMessage[], options: RenderOptions = {}): string {
    checkMessages(messages);
    try {
      return this.#template.render({
        ...options.extra,
        messages,
        bos_token: options.bosToken ?? "",
        eos_token: options.eosToken ?? "",
        add_generation_prompt: options.addGenerationPrompt ?? true,
        // Templates ask both `if tools` and `tools is not none`.
        tools: options.tools ?? null,
        documents: options.extra?.["documents"] ?? null,
      });
    } catch (cause) {
      throw new RequestError(`chat template: ${reason(cause)}`, { cause });
    }
  }
}

function checkMessages(messages: readonly ChatMessage[]): void {
  messages.forEach((message, index) => {
    if (typeof message !== "object" || message === null || typeof message.role !== "string")
      throw new RequestError(`chat: message ${index} has no role; expected { role, content }`);
  });
}

/** Renders with a parsed template. */
export function renderChat(
  template: ChatTemplate,
  messages: readonly ChatMessage[],
  options: RenderOptions = {},
): string {
  return template.render(messages, options);
}

/**
 * The template for a model: `override`, else the model's own, else the one that its special tokens
 * give away (Llama 3's headers, ChatML). Throws `RequestError` where there is none.
 */
export function chatTemplateFor(tokenizer: Tokenizer, override?: string): ChatTemplate {
  const source = override ?? tokenizer.chatTemplate ?? fallbackTemplate(tokenizer);
  if (source === undefined)
    throw new RequestError(
      "chat: this model has no chat template, and none of its special tokens tell which to use; " +
        "give one, or generate from plain text",
    );
  return new ChatTemplate(source);
}

function fallbackTemplate(tokenizer: Tokenizer): string | undefined {
  const has = (...texts: string[]): boolean =>
    texts.every((text) => {
      const id = tokenizer.idOf(text);
      return id !== undefined && tokenizer.isSpecial(id);
    });
  if (has("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")) return LLAMA3_TEMPLATE;
  if (has("<|im_start|>", "<|im_end|>")) return CHATML_TEMPLATE;
  return undefined;
}

/** Private-use characters: none of them is in a text that means anything by it. */
const GUARDS = ["\u{10fffd}", "\u{10fffc}", "\u{10fffb}", "\u{ffffd}"];

/**
 * Token ids of a conversation. Special tokens come from the template alone: their text within a
 * message stays text. BOS is added only where the template does not write it itself.
 */
export function encodeChat(
  tokenizer: Tokenizer,
  template: ChatTemplate,
  messages: readonly ChatMessage[],
  options: RenderOptions = {},
): number[] {
  const written = JSON.stringify([messages, options.tools ?? null, options.extra ?? null]);
  const guard = GUARDS.find((character) => !written.includes(character));
  if (guard === undefined)
    throw new RequestError("chat: the messages use every private-use character that guards them");
  const specials = [...tokenizer.specialTexts()];
  const guarded = <T>(value: T): T => guardStrings(value, specials, guard) as T;
  const textOf = (id: number | undefined): string | undefined =>
    id === undefined ? undefined : tokenizer.textOf(id);
  const text = template.render(guarded(messages), {
    bosToken: textOf(tokenizer.bosId),
    eosToken: textOf(tokenizer.eosId),
    ...options,
    ...(options.tools === undefined ? {} : { tools: guarded(options.tools) }),
  });
  const ids = tokenizer.encode(text, { addSpecial: false, parseSpecial: true, guard });
  const [bos] = tokenizer.encode("");
  const wantsBos = bos !== undefined && bos === tokenizer.bosId && ids[0] !== bos;
  return wantsBos ? [bos, ...ids] : ids;
}

/** `text` with `guard` after its first character. */
function guardedText(text: string, guard: string): string {
  const first = String.fromCodePoint(text.codePointAt(0)!);
  return first + guard + text.slice(first.length);
}

/** Copies a value with `guard` put inside the special texts of every string. */
function guardStrings(value: unknown, specials: readonly string[], guard: string): unknown {
  if (typeof value === "string")
    return specials.reduce(
      (text, special) =>
        special.length < 2 ? text : text.replaceAll(special, () => guardedText(special, guard)),
      value,
    );
  if (Array.isArray(value)) return value.map((item) => guardStrings(item, specials, guard));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, guardStrings(item, specials, guard)]),
  );
}
