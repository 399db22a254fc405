#version 330
// What the lamp sees.
uniform mat4 lamp;
in vec3 position;
void main() { gl_Position = lamp * vec4(position, 1.0); }
