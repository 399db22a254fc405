#version 330
// A figure flattened onto the floor along the lamp's rays.
uniform mat4 camera;
uniform vec2 slope;  // how far a shadow goes sideways for each metre of height
in vec3 position;
out float height;
void main() {
    height = position.z;
    gl_Position = camera * vec4(position.xy - slope * position.z, 0.0, 1.0);
}
