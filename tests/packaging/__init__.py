"""The built distribution: what is in it, how it installs, and how it switches itself on."""
