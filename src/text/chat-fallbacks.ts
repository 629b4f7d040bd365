/** Chat templates for models that come without one but whose special tokens give the format away. */

/** Llama 3: a header names the role of each turn. */
export const LLAMA3_TEMPLATE =
  "{{ bos_token }}{% for message in messages %}" +
  "<|start_header_id|>{{ message.role }}<|end_header_id|>\n\n{{ message.content | trim }}<|eot_id|>" +
  "{% endfor %}" +
  "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}";

/** ChatML: `<|im_start|>` and the role open each turn. */
export const CHATML_TEMPLATE =
  "{% for message in messages %}" +
  "<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n" +
  "{% endfor %}" +
  "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
