//! What is planted in small logs is found, and nothing else.
