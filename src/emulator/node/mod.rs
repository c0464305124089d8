//! What a node does with a task: directories, processes, resource files, output files.
