"""What the sample catalogue is made of: its words, its pictures, and the plan that puts them together."""
