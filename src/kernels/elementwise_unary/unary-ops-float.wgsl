// Operations of elementwise_unary on floats. With shared/element-float.wgsl, shared/sigmoid.wgsl,
// shared/signed-power.wgsl and shared/round-half-even.wgsl.
const SIGMOID: u32 = 0u;
const SILU: u32 = 1u;
const RELU: u32 = 2u;
const TANH: u32 = 3u;
const EXP: u32 = 4u;
const SQRT: u32 = 5u;
const RSQRT: u32 = 6u;
const ABS: u32 = 7u;
const NEG: u32 = 8u;
const SIN: u32 = 9u;
const COS: u32 = 10u;
const ROUND: u32 = 11u;
const GELU_ERF: u32 = 12u;
const GELU_TANH: u32 = 13u;
const CLAMP: u32 = 14u;
const POW_SCALAR: u32 = 15u;
const HARDSWISH: u32 = 16u;
const LEAKY_RELU: u32 = 17u;
const AFFINE: u32 = 18u;
const OP: u32 = SIGMOID; // @param one of the operations above

fn apply(x: Value, first: f32, second: f32) -> Value {
  switch (OP) {
    case SIGMOID: {
      return sigmoid(x);
    }
    case SILU: {
      return x * sigmoid(x);
    }
    case RELU: {
      return max(x, 0.0);
    }
    case TANH: {
      return bounded_tanh(x);
    }
    case EXP: {
      return exp(x);
    }
    case SQRT: {
      return sqrt(x);
    }
    case RSQRT: {
      return inverseSqrt(x);
    }
    case ABS: {
      return abs(x);
    }
    case NEG: {
      return -x;
    }
    case SIN: {
      return precise_sine(x, 0);
    }
    case COS: {
      return precise_sine(x, 1);
    }
    case ROUND: {
      return round_half_even(x);
    }
    case GELU_ERF: {
      return 0.5 * x * (1.0 + erf(x * 0.70710678118654752));
    }
    case GELU_TANH: {
      const SQRT_2_OVER_PI = 0.79788456080286536;
      return 0.5 * x * (1.0 + bounded_tanh(SQRT_2_OVER_PI * (x + 0.044715 * x * x * x)));
    }
    case CLAMP: {
      return min(max(x, first), second);
    }
    case POW_SCALAR: {
      return signed_power(x, first);
    }
    case HARDSWISH: {
      return x * min(max(x + 3.0, 0.0), 6.0) * (1.0 / 6.0);
    }
    case LEAKY_RELU: {
      return select(x, first * x, x < 0.0);
    }
    default: {
      return first * x + second;
    }
  }
}

// tanh is ±1 in f32 from about 9 on, while implementations by way of e^2x overflow.
fn bounded_tanh(x: f32) -> f32 {
  return tanh(min(max(x, -10.0), 10.0));
}

// sin(x + quarters · π/2). WGSL bounds the error of its own sin and cos only by 2^-11; these are
// polynomials for −π/4 … π/4 after taking off the nearest multiple of π/2, in
// three parts whose first products are exact (fma need not be fused).
fn precise_sine(x: f32, quarters: i32) -> f32 {
  let turns = round(x * 0.63661977236758134);
  let reduced =
    ((x - turns * 1.5703125) - turns * 4.837512969970703e-4) - turns * 7.549789954891882e-8;
  let square = reduced * reduced;
  let sine = fma(
    reduced * square,
    fma(square, fma(square, -1.9515295891e-4, 8.3321608736e-3), -1.6666654611e-1),
    reduced,
  );
  let cosine = fma(
    square * square,
    fma(square, fma(square, 2.443315711809948e-5, -1.388731625493765e-3), 4.166664568298827e-2),
    fma(square, -0.5, 1.0),
  );
  let quadrant = (i32(turns) + quarters) & 3;
  let magnitude = select(sine, cosine, (quadrant & 1) == 1);
  return select(magnitude, -magnitude, quadrant >= 2);
}

// Abramowitz and Stegun 7.1.26: off by at most 1.5e-7.
fn erf(x: f32) -> f32 {
  let t = 1.0 / (1.0 + 0.3275911 * abs(x));
  let polynomial =
    ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return sign(x) * (1.0 - polynomial * exp(-min(x * x, 80.0)));
}
