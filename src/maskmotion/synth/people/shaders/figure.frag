#version 330
// What a figure's surface sends to the camera, in linear RGB; one branch a material.

// Compiled once a material, with its name defined: skipped branches cost time on a processor.

uniform vec3 eye;            // the camera's place
uniform vec3 towards;        // the lamp
uniform vec3 key, sky, ground;
uniform float softness;
uniform sampler2D depths;    // of the lamp
uniform vec2 lamp_scale;     // m a texel; share of its depth a m
uniform sampler2D albedo;    // sRGB
uniform sampler2D relief;    // rg: slope of the surface, 0.5 is flat
uniform float shine;         // strength of the reflection
uniform float rough;         // its width
uniform float tile;          // m, side of a cloth's texture
uniform vec4 bump;           // x: strength of the relief
uniform vec3 tint;
uniform sampler2D print_;    // sRGB and cover, on the front
uniform vec4 print_box;      // left, bottom, 1 / width, 1 / height in m
uniform float trim;          // m, width of edges in the colour tint

in vec3 at;
in vec3 across;
in vec3 rest_at;
in vec3 rest_across;
in vec2 uv;
in vec4 extra;
in vec3 in_lamp;

out vec4 colour;

float lit(float facing) {
    // Four taps round the place in the lamp's picture.
    if (max(abs(in_lamp.x - 0.5), abs(in_lamp.y - 0.5)) > 0.495) return 1.0;
    float apart = mix(1.0, 3.0, softness);  // texels
    // The steeper the surface, the deeper it lies a tap further on.
    float slant = min(sqrt(max(1.0 - facing * facing, 0.0)) / max(facing, 0.01), 6.0);
    float near = in_lamp.z - lamp_scale.y * (0.003 + lamp_scale.x * (1.06 * apart + 0.7) * slant);
    float sum = 0.0;
    for (int i = 0; i < 4; i++) {
        vec2 off = apart * 1.5 / 512.0 * vec2(float(i & 1) - 0.5, float(i >> 1) - 0.5);
        sum += near <= texture(depths, in_lamp.xy + off).r ? 0.25 : 0.0;
    }
    return sum;
}

vec3 around(vec3 n) {
    return mix(ground, sky, 0.5 + 0.5 * n.z);
}

// Diffuse light with a wrap, and a reflection (Blinn and Phong's).
vec3 shade(vec3 base, vec3 n, vec3 wrap, float gloss, float width, float open) {
    vec3 view = normalize(eye - at);
    float facing = dot(n, towards);
    float shadow = facing > -0.4 ? lit(facing) : 0.0;
    vec3 direct = key * clamp((vec3(facing) + wrap) / (1.0 + wrap), 0.0, 1.0) * shadow;
    vec3 half_way = normalize(view + towards);
    float power = 2.0 / max(width * width, 1e-3);
    float spot = pow(max(dot(n, half_way), 0.0), power) * (power + 2.0) * 0.125;
    float edge = pow(1.0 - max(dot(n, view), 0.0), 4.0);
    vec3 mirror = key * spot * shadow * max(facing, 0.0) + around(reflect(-view, n)) * (0.25 + edge);
    return base * (direct + around(n) * open) + gloss * (0.04 + 0.3 * edge) * mirror * open;
}

vec3 linear(vec3 srgb) {
    return srgb * srgb * (0.8 + 0.2 * srgb) ;
}

#ifdef HAIR
// The lamp's light that comes through, less the deeper it has gone into the hair.
float filtered() {
    float step = mix(0.7, 2.0, softness) / 512.0;
    float sum = 0.0;
    for (int i = 0; i < 2; i++) {
        vec2 off = step * (i == 0 ? vec2(0.9, 0.4) : vec2(-0.9, -0.4));
        sum += exp(-130.0 * max(in_lamp.z - texture(depths, in_lamp.xy + off).r - 0.0015, 0.0));
    }
    return 0.5 * sum;
}

// Light round a strand (Kajiya and Kay), dimmed by the hair's own bulk.
vec3 hair(vec3 base, vec3 n, vec3 along, float open) {
    vec3 view = normalize(eye - at);
    vec3 strand = normalize(along + 1e-9 * vec3(1.0, 2.0, 3.0));
    float facing = dot(n, towards);
    float shadow = 0.1 + 0.9 * filtered();
    float wrap = clamp((facing + 0.35) / 1.35, 0.0, 1.0);
    float along_light = dot(strand, towards);
    float along_half = dot(strand, normalize(view + towards));
    float round_light = sqrt(max(1.0 - along_light * along_light, 0.0));
    float sharp = sqrt(max(1.0 - along_half * along_half, 0.0));
    vec3 direct = key * shadow * wrap * open;
    float spot = pow(sharp, 12.0 / (rough * rough)) + 0.35 * pow(sharp, 2.0 / (rough * rough));
    // All around, the sky's reflection is a band across the strands that face it.
    float turned = dot(strand, normalize(view + vec3(0.0, 0.0, 1.0)));
    float band = pow(max(1.0 - turned * turned, 0.0), 4.0) * (0.3 + 0.7 * max(n.z, 0.0));
    vec3 sheen = (0.045 + 0.5 * base) * shine;
    return base * (direct * (0.5 + 0.5 * round_light) + around(n) * open)
        + sheen * open * (direct * spot + band * sky);
}
#endif

void main() {
    vec3 n = normalize(across);
    if (!gl_FrontFacing) n = -n;
    vec3 out_light;
#if defined(SKIN)
    vec4 paint = texture(albedo, uv);
    float cavity = min(1.0, 0.25 + 1.2 * extra.w);  // also the lamp hardly reaches into these
    vec3 base = linear(paint.rgb) * cavity;
    out_light = shade(base, n, vec3(0.25, 0.14, 0.1), shine * (0.5 + 2.0 * paint.a), rough, extra.w);
#elif defined(CLOTH)
    if (extra.x < 0.0) discard;  // beyond the hem
    vec3 side = abs(rest_across);
    float turn = smoothstep(0.35, 0.65, side.x / (side.x + side.y + 1e-4));
    vec2 front = rest_at.xz / tile, flank = rest_at.yz / tile + vec2(0.37, 0.0);
    vec3 paint = mix(texture(albedo, front).rgb, texture(albedo, flank).rgb, turn);
    vec2 on_front = (rest_at.xz - print_box.xy) * print_box.zw;
    vec4 printed = texture(print_, clamp(on_front, 0.0, 1.0));
    paint = mix(paint, printed.rgb, printed.a * extra.z);
    vec2 slope = mix(texture(relief, front).rg, texture(relief, flank).rg, turn) - 0.5;
    vec3 right = normalize(cross(vec3(0.0, 0.0, 1.0), n) + vec3(1e-4, 0.0, 0.0));
    n = normalize(n + bump.x * (0.3 + extra.y) * (slope.x * right + slope.y * cross(n, right)));
    float hem = extra.x < 0.005 ? 0.8 : 1.0;
    if (!gl_FrontFacing) hem *= 0.45;
    vec3 dye = extra.x < trim ? tint : linear(paint);
    out_light = shade(dye * hem, n, vec3(0.1), shine, rough, extra.w);
#elif defined(EYE)
    vec3 paint = texture(albedo, uv).rgb;
    vec2 off = uv - 0.5, u = dFdx(uv), v = dFdy(uv);
    vec3 su = dFdx(n), sv = dFdy(n);  // the normal's slope against uv tells where the pupil looks
    vec3 bend = (su * v.y - sv * u.y) * off.x + (sv * u.x - su * v.x) * off.y;
    bend /= u.x * v.y - u.y * v.x + 1e-9;
    n = normalize(n + bend * (1.0 - smoothstep(0.10, 0.16, length(off))));  // the cornea
    out_light = shade(linear(paint), n, vec3(0.3), 0.5, 0.2, 0.75);
    float spot = max(dot(n, normalize(normalize(eye - at) + towards)), 0.0);
    out_light += 0.6 * (1.0 - 0.6 * softness) * key * pow(spot, mix(300.0, 90.0, softness));
#elif defined(HAIR)
    // extra: x share of strands left out, y lighter or darker, z root to tip, w openness.
    vec4 strand = texture(albedo, uv);
    vec3 side = dFdx(at) * dFdy(uv.y) - dFdy(at) * dFdx(uv.y);  // where only u changes
    if (strand.a < extra.x) discard;
    n = normalize(across);
    float open = gl_FrontFacing ? extra.w : 0.45 * extra.w;
    out_light = hair(linear(strand.rgb) * (1.0 + extra.y), n, cross(side, n), open);
#elif defined(MOUTH)
    // extra: x counts teeth along the row, y 1 where there are any.
    float gap = extra.y * smoothstep(0.7, 1.0, abs(fract(extra.x) * 2.0 - 1.0));
    out_light = shade(tint * extra.w * (1.0 - 0.5 * gap), n, vec3(0.2), 0.7, 0.3, extra.w);
#elif defined(LASH)
    // extra: x counts the hairs along the lid, y their length, z the distance from the lid.
    float blurred = smoothstep(0.4, 0.9, fwidth(extra.x));
    float gap = mix(abs(fract(extra.x) * 2.0 - 1.0), 0.6, blurred);
    float length_ = extra.y * (1.0 + 0.3 * sin(floor(extra.x) * 2.4));
    if (gap > 1.0 - extra.z / length_) discard;
    out_light = tint * around(n);
#else
    vec3 paint = linear(texture(albedo, uv).rgb) * tint;
    out_light = shade(paint, n, vec3(0.0), shine, rough, extra.w);
#endif
    colour = vec4(out_light, 1.0);
}
