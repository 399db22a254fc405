#version 330
uniform vec2 share;
in float height;
out vec4 colour;
void main() {
    // Only what is near the floor keeps the light from all around away.
    colour = vec4(share.x, share.y * clamp(1.0 - height / 0.2, 0.0, 1.0), 0.0, 1.0);
}
