"""Where things lie in pictures: areas as pixels, masks as run lengths, frames in a model's input."""
