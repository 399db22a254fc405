#version 330
// One triangle over the whole picture.
out vec2 uv;
void main() {
    uv = vec2(float((gl_VertexID & 1) << 2), float((gl_VertexID & 2) << 1)) * 0.5;
    gl_Position = vec4(uv * 2.0 - 1.0, 0.0, 1.0);
}
