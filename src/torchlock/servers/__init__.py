"""Programs that other programs talk to: a language server for editors, and an MCP server for assistants."""
