"""Pictures and words in one space: drawn scenes, their captions, two encoders and what brings them together."""
