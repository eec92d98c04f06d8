//! Audits of small repositories signed here: honest ones, ones with one thing wrong each, and ones
//! that show their two readers different things.

mod broken;
mod honest;
mod index_of_two;
mod memory;
mod published;
mod second_opinion;
