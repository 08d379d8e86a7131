"""The command `lastword`: the outermost layer, free to call all the others."""
