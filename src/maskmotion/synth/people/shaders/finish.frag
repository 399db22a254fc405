#version 330
// Through the lens to pixels: the figure's own colour (not mixed with black), toned, and its cover.
uniform sampler2D light;  // four samples a pixel
uniform float exposure;
uniform vec3 balance;
uniform vec2 taps;        // weight of a pixel, and of each neighbour, along one direction
in vec2 uv;
out vec4 colour;

vec3 toned(vec3 x) {
    x = x * exposure * balance;
    x = x * (1.0 + x * 0.12) / (1.0 + x * 0.45);  // a film's shoulder
    x = pow(clamp(x, 0.0, 1.0), vec3(1.0 / 2.2));
    return mix(x, x * x * (3.0 - 2.0 * x), 0.4);  // contrast, as cameras add it
}

void main() {
    vec2 texel = 1.0 / vec2(textureSize(light, 0));
    // Between four samples, the linear filter gives their mean.
    vec2 middle = floor(gl_FragCoord.xy) * 2.0 + 1.0;
    vec4 total = vec4(0.0);
    for (int y = -1; y <= 1; y++)
        for (int x = -1; x <= 1; x++) {
            float weight = (x == 0 ? taps.x : taps.y) * (y == 0 ? taps.x : taps.y);
            total += weight * texture(light, (middle + 2.0 * vec2(x, y)) * texel);
        }
    colour = vec4(total.a > 0.0 ? toned(total.rgb / total.a) : vec3(0.0), total.a);
}
